"""Who is let in, and over what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.asterisk.pbx import HOST, Pbx
from tests.asterisk.phones import Phones
from tests.asterisk.sipuser import SipUser


@pytest.mark.parametrize(
    ("number", "password"), [("200", "wrong"), ("200", ""), ("299", "x"), ("pbxweb-revision", "x")]
)
def test_a_wrong_sign_in_is_refused(pbx: Pbx, sip: Callable[..., SipUser], number: str, password: str) -> None:
    assert sip(number, password=password).register() in (401, 403)


@pytest.mark.parametrize("number", ["299", "pbxweb-revision", "pbxweb-phone", "anonymous", "*"])
def test_a_guest_cannot_call(pbx: Pbx, sip: Callable[..., SipUser], number: str) -> None:
    call = sip(number, password="x").invite("201")
    assert call.final is not None
    assert call.final.status in (401, 403)
    assert not pbx.channels()


def test_a_phone_cannot_call_in_another_phones_name(pbx: Pbx, sip: Callable[..., SipUser]) -> None:
    target = sip("201")
    assert target.register() == 200
    caller = sip("200", name="The Boss")
    target.reply = (180, 486)
    caller.invite("201")
    assert '"Phone 200" <sip:200@' in target.rings().get("from")


def test_two_phones_talk_over_tls_with_srtp(pbx: Pbx, phones: Phones) -> None:
    anna = phones.add("212", transport="tls", srtp=True)
    bert = phones.add("213", transport="tls", srtp=True)
    anna.dial("213")
    bert.answer()
    anna.talking()
    assert anna.hears(bert.hertz)
    assert bert.hears(anna.hertz)
    assert pbx.ami.getvar("CHANNEL(rtp,secure)", pbx.channels()[0]) == "1"


def test_a_tls_phone_may_not_talk_in_the_clear(pbx: Pbx, phones: Phones) -> None:
    bert, anna = phones.add("213", transport="tls", srtp=True), phones.add("212", transport="tls")
    anna.dial("213")
    assert "488" in anna.closed()
    assert not bert.saw("CALL_INCOMING")


def test_two_phones_talk_over_tcp(pbx: Pbx, phones: Phones) -> None:
    anna, bert = phones.add("215", transport="tcp"), phones.add("201", transport="tcp", answer="auto")
    anna.dial("201").talking()
    assert anna.hears(bert.hertz)
    anna.hang_up()
    bert.closed()
    bert.dial("215")
    anna.wait("CALL_INCOMING")


def test_a_phone_has_no_more_calls_than_it_may(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = phones.add("200"), phones.add("211", answer="auto"), phones.add("202")
    anna.dial("211").talking()
    assert "486" in carl.dial("211").closed()
    anna.hang_up()
    bert.closed()
    carl.forget()
    carl.dial("211").talking()


def test_a_phones_own_redirection_is_followed_but_not_in_a_circle(pbx: Pbx, sip: Callable[..., SipUser]) -> None:
    caller, moved, target = sip("200"), sip("201"), sip("202")
    assert moved.register() == target.register() == 200
    moved.reply, moved.moved_to = (302,), f"sip:202@{HOST}:{pbx.port}"
    target.reply, target.moved_to = (302,), f"sip:201@{HOST}:{pbx.port}"
    call = caller.invite("201")
    assert call.final is not None
    assert call.final.status == 480
    assert len(moved.incoming) == 1
    assert len(target.incoming) == 1
