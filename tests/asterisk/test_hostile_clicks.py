"""Hostile names on a real product: a click's AMI headers carry them, both displays show them, nothing else happens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.asterisk.pbx import until
from tests.asterisk.sipuser import SipUser
from tests.served import Served

NAMES = (
    "Müller, Anna",
    "x,CALLERID(num)=666",
    "x,GLOBAL(PWNED)=1",
    "|GLOBAL(PWNED)=1",
    'say "hi"',
    "back\\slash \\",
    "a(b",
    "[x)]",
    "${GLOBAL(PWNED)}${SHELL(touch pwned)}",
    "$[1+1]",
    "=>;#include x",
    "a\\r\\nAction: Originate",
    "%s%0d%0aAction: x",
    "\u202eRTL مرحبا 😀",
    "<sip:666@evil.example>",
)
LINE_ENDS = ("a\r\nAction: Command\r\nCommand: core stop now", "a\nb", "a\0b", "a\u2028b", "x" * 10_000)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """pbxweb as its owner starts it, with two phones."""
    instance = Served(tmp_path_factory.mktemp("clicks") / "var")
    try:
        instance.start()
        instance.made = instance.set_up(phones=2)  # type: ignore[attr-defined]
        yield instance
    finally:
        instance.close()


def _shown(user: SipUser) -> str:
    header = user.rings().get("from").encode(errors="surrogateescape").decode()
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"', header)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header.partition("<")[0].strip()


def _rename(served: Served, place: int, name: str) -> int:
    made = served.made[place]  # type: ignore[attr-defined]
    return served.api("PATCH", f"/extensions/{made['id']}", {"displayName": name}).status


def test_a_hostile_name_arrives_on_both_displays_of_a_click_and_is_only_a_name(served: Served) -> None:
    port = served.settings.sip_bind.port
    phones = [SipUser(p["number"], port, password=p["password"]) for p in served.made]  # type: ignore[attr-defined]
    first, second = phones
    first.reply = (180, 200)
    try:
        assert [phone.register() for phone in phones] == [200, 200]
        registered = f"/extensions/{served.made[0]['id']}/registrations"  # type: ignore[attr-defined]
        until(lambda: served.api("GET", registered).body["data"], what="the phone to be seen")
        for name in NAMES:
            assert [_rename(served, place, name) for place in (0, 1)] == [200, 200], name
            for phone in phones:
                phone.incoming.clear()
            call = {"from": first.number, "to": second.number}
            answer = served.api("POST", "/calls/originate", call)
            assert answer.status == 201, answer
            assert [_shown(first), _shown(second)] == [name, name]
            assert f"sip:{first.number}@" in second.incoming[-1].get("from")
            (live,) = until(lambda: served.api("GET", "/calls").body["data"], what="the call to be live")
            assert (live["callerName"], live["calleeName"], live["callerNumber"]) == (name, name, first.number)
            assert served.api("POST", f"/calls/{live['id']}/hangup").status == 204
            until(lambda: served.api("GET", "/calls").body["data"] == [], what="the call to end")
    finally:
        for phone in phones:
            phone.close()
    assert "PWNED" not in served.engine().cli("dialplan show globals")
    assert not list(served.home.rglob("pwned"))
    rows = until(lambda: len(found := served.history()) == len(NAMES) and found, what="the calls in the history")
    assert {str(row["callerName"]) for row in rows} <= set(NAMES)


@pytest.mark.parametrize("text", LINE_ENDS)
@pytest.mark.parametrize("field", ["to", "from"])
def test_what_ends_a_line_never_reaches_the_manager_interface(served: Served, field: str, text: str) -> None:
    pid = served.engine().status().pid
    call = {"from": served.made[0]["number"], "to": "*43", field: text}  # type: ignore[attr-defined]
    answer = served.api("POST", "/calls/originate", call)
    assert answer.status == 400
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert _rename(served, 0, text) == 400
    assert served.engine().status().pid == pid
