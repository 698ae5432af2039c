"""The manager link against a real Asterisk: what pbxweb says and hears, and that hostile text stays text."""

# ruff: noqa: F811 - a fixture is imported and named as a parameter
from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pbxweb.asterisk.ami import AmiFailed, AmiLink, AmiRefused, NotConnected, one_shot
from pbxweb.live.model import Rules, State
from pbxweb.live.rebuild import rebuild
from tests.live.conftest import Watch, asterisk, own_asterisk, phone, watch, watcher  # noqa: F401 - fixtures
from tests.live.sip_phone import SipPhone
from tests.live.small_asterisk import SECRET, SmallAsterisk

HOSTILE = (
    "status will follow",
    "${SHELL(touch /tmp/owned)}",
    "x; y] => #include [z]",
    "O'Brien \t tab",
    "--END COMMAND--",
    "Response: Error",
    "Zoë \U0001f600 \u202eabc",
)


def test_every_line_of_a_command_arrives(asterisk: SmallAsterisk) -> None:
    with one_shot("127.0.0.1", asterisk.ami_port, "all", SECRET) as ami:
        lines = ami.command("core show applications")
        assert any(line.strip().startswith("Dial:") for line in lines)
        assert len(lines) > 20
        with pytest.raises(AmiFailed, match="No such command"):
            ami.command("no such thing")


def test_the_database_takes_text_as_it_is_up_to_the_longest_line(watch: Watch) -> None:
    link = watch.link
    for value in (*HOSTILE, "a: b: c", "x" * 1017):
        link.dbput("test", "key", value)
        assert link.dbget("test", "key") == value
    with pytest.raises(AmiRefused, match="Val: 1023 bytes"):
        link.dbput("test", "key", "x" * 1018)
    assert link.dbget("test", "key") == "x" * 1017
    assert link.dbdel("test", "key") is True
    assert link.dbdel("test", "key") is False
    assert link.dbget("test", "key") is None
    link.dbdeltree("test")


def test_reload_says_what_asterisk_said(watch: Watch) -> None:
    watch.link.reload("res_pjsip.so")
    with pytest.raises(AmiFailed, match="No such module"):
        watch.link.reload("no_such_module.so")


def test_eight_threads_get_their_own_answers(watch: Watch) -> None:
    wrong: list[tuple[str, str]] = []

    def ask(number: int) -> None:
        for turn in range(50):
            key = f"{number}-{turn}"
            value = watch.link.getvar(f"IF(1?{key})")
            if value != key:
                wrong.append((key, value))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_caller_name_is_only_a_name(
    asterisk: SmallAsterisk,
    watch: Watch,
    phone: Callable[..., SipPhone],
    name: str,
) -> None:
    line = phone(asterisk, "trunk-line")
    phone(asterisk, "102", answer="manual")
    line.call("102", name=name)
    call = watch.call("ringing")
    assert call.from_name == name
    assert watch.link.send("Ping").ok
    assert len(watch.state.calls) == 1


@pytest.mark.parametrize(
    "number",
    [
        "1%0d%0aUniqueid%3a%201.1",
        "1%0d%0aInjected%3a%20yes",
        "1%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0aA%3a%20b",
        "1%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0aPrivilege%3a%20system%2call%0d%0aA%3a%20b",
        "1%0d%0a%0d%0aResponse%3a%20Error%0d%0aActionID%3a%201%0d%0aA%3a%20b",
        "1%0d%0a",
    ],
)
def test_a_number_cannot_smuggle_an_event(
    asterisk: SmallAsterisk,
    watch: Watch,
    phone: Callable[..., SipPhone],
    number: str,
) -> None:
    line = phone(asterisk, "trunk-line")
    called = phone(asterisk, "102", answer="manual")
    line.call("102", asserted=f"<sip:{number}@127.0.0.1>")
    assert called.rung.wait(30)
    watch.until(lambda now: any(leg.endpoint == "102" for leg in now.channels.values()))
    rebuilt = rebuild(watch.link, Rules(), State())
    assert len(watch.state.channels) == len(rebuilt.channels) == 2
    (call,) = watch.state.calls.values()
    assert call.from_number.split()[0] == "1"
    assert not [event for event in watch.events if event.name == "Shutdown" or "Injected" in event.headers]
    for leg in (*watch.state.channels.values(), *rebuilt.channels.values()):
        assert "\r" not in leg.caller_number
        assert "1.1" not in (leg.uniqueid, leg.linkedid)
    assert watch.state.engine.up
    assert watch.link.send("Ping").ok
    line.hang_up()
    watch.quiet()


def test_originate_tells_its_action_id_and_its_channel(asterisk: SmallAsterisk, watch: Watch) -> None:
    action_id = watch.link.originate(
        "Local/*43@phones",
        application="Wait",
        data="1",
        caller_id='"A" <12>',
        variables={"A": "b=c,d"},
        channel_id="own.1",
    )
    watch.until(lambda now: any(event.name == "OriginateResponse" for event in watch.events))
    answer = next(event for event in watch.events if event.name == "OriginateResponse")
    assert answer.action_id == action_id
    assert answer.get("Uniqueid") == "own.1"
    watch.link.hangup(answer.get("Channel"))
    watch.quiet()
    with pytest.raises(AmiFailed, match="No such channel"):
        watch.link.hangup(answer.get("Channel"))


def test_a_wrong_secret_is_refused(asterisk: SmallAsterisk) -> None:
    wrong = one_shot("127.0.0.1", asterisk.ami_port, "pbxweb", "wrong")
    with pytest.raises(AmiFailed, match="Authentication failed"), wrong:
        raise AssertionError("it let us in")


def test_without_asterisk_an_action_says_so(own_asterisk: SmallAsterisk) -> None:
    link = AmiLink("127.0.0.1", own_asterisk.ami_port, "pbxweb", SECRET)
    with pytest.raises(NotConnected):
        link.send("Ping")
    link.start()
    try:
        assert link.wait(30)
        own_asterisk.kill()
        with pytest.raises(NotConnected):
            for _ in range(1000):
                link.send("Ping")
    finally:
        link.stop()
