"""What a signed-in phone can write into the number that it dials: it stays a number, in the dialplan and over AMI."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pbxweb.asterisk.ami_events import EVENT_NAMES
from tests.asterisk.pbx import Pbx, until
from tests.asterisk.sipuser import SipUser

Sip = Callable[..., SipUser]
# The user part of a SIP address may hold any byte as %XX.
EVENT = "%0d%0a%0d%0aEvent%3a%20Evil%0d%0aX-Evil%3a%201%0d%0a%0d%0a"
ACTION = "%0d%0a%0d%0aAction%3a%20Command%0d%0aCommand%3a%20database%20put%20evil%20x%201%0d%0a%0d%0a"
TAILS = (
    EVENT, ACTION, "%0aX-Evil%3a%201", "%0dX-Evil%3a%201", "%0d", "%0a", "%0d%0d%0a%0a",
    "%00", "%e2%80%a8X-Evil%3a%201", "&PJSIP%2f202", "%2cs%2c1",
    "%24%7bDB(evil%2fx)%7d", "%24%7bSHELL(touch%20evil)%7d", "%22)%5d%26", "%7cGoto(pbxweb-said,on,1)", "9" * 3000,
    "%F0%9F%98%80", "%ff%fe", "%40pbxweb-said", "%5c%5c", "%5e1",
)  # fmt: skip


@pytest.mark.parametrize("number", ["201", "299", "*72202", "**201", "*8", "+49", "701", "x"])
def test_a_hostile_number_injects_nothing_and_rings_nobody_else(pbx: Pbx, sip: Sip, number: str) -> None:
    anna, carl = sip("200"), sip("202")
    assert anna.register() == carl.register() == 200
    for tail in TAILS:
        anna.call(number + tail)
    anna.call("*43")
    until(lambda: pbx.seen("Newchannel", Exten="*43"), what="the last call's event")
    events = list(pbx.events)
    assert not [e for e in events if any("evil" in header.lower() for header in e.headers)]
    assert {e.name for e in events} <= {*EVENT_NAMES, "TestEvent"}
    assert not any("\r\n" in value for e in events for name in e.headers for value in e.all(name))
    assert not carl.incoming
    assert pbx.ami.dbget("evil", "x") is None
    assert pbx.ami.dbget("pbxweb-cfu", "200") in (None, "202")
    assert pbx.ami.send("Ping").get("Ping") == "Pong"
