"""Each defect of pyst2 0.5.1, shown with its own Manager against a protocol-true peer, and its cure beside it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asterisk.manager import Manager

from pbxweb.asterisk.ami import AmiError, AmiLink, AmiRefused, AmiTimeout, Event
from tests.asterisk.ami_peer import BOOTED, AmiPeer, success

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:asterisk.manager"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def peer() -> Iterator[AmiPeer]:
    made = AmiPeer()
    yield made
    made.close()


@pytest.fixture
def plain(peer: AmiPeer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Manager]]:
    """Makes pyst2's own Manager, signed in; with a default dictionary of its own, and no log-off at the end."""
    monkeypatch.setattr(Manager.send_action, "__defaults__", ({},))
    made: list[Manager] = []

    def make() -> Manager:
        manager = Manager()
        made.append(manager)
        manager.connect("127.0.0.1", peer.port)
        manager.login("pbxweb", "secret")
        return manager

    yield make
    for manager in made:
        manager._running.clear()
        manager._connected.clear()


@pytest.fixture
def link(peer: AmiPeer) -> Iterator[AmiLink]:
    made = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret", timeout=30)
    made.start()
    assert made.wait(30)
    yield made
    made.stop()


def within(seconds: float, work: Callable[[], Any]) -> list[Any]:
    """What ``work`` returned, in a list; the empty list where it was not done in time."""
    result: list[Any] = []
    thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return result


def eventually(what: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return False


def test_every_line_of_a_command_arrives(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    peer.answers["Command"] = lambda action: success(action, "Output: one\r\nOutput: two: 2\r\nOutput: three\r\n")
    assert plain().command("x").headers["Output"] == "three"
    assert link.command("x") == ["one", "two: 2", "three"]


def shuffled(peer: AmiPeer) -> Callable[[dict[str, str]], bytes | None]:
    """Answers the second of two actions first, as Asterisk does with a slow one."""
    first: list[dict[str, str]] = []

    def answer(action: dict[str, str]) -> bytes | None:
        if action["Variable"] == "slow":
            first.append(action)
            return None
        mine = success(action, f"Value: {action['Variable']}\r\n")
        return mine + success(first.pop(), "Value: slow\r\n") if first else mine

    return answer


def test_two_threads_get_their_own_answers(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    peer.answers["Getvar"] = shuffled(peer)

    def ask(get: Callable[[str], str]) -> tuple[str, str]:
        answers: dict[str, str] = {}
        slow = threading.Thread(target=lambda: answers.setdefault("slow", get("slow")), daemon=True)
        slow.start()
        assert eventually(lambda: any(one.get("Variable") == "slow" for one in peer.actions))
        time.sleep(0.05)
        answers["quick"] = get("quick")
        slow.join(30)
        peer.actions.clear()
        return answers["slow"], answers["quick"]

    manager = plain()
    plainly = [ask(lambda name: manager.send_action({"Action": "Getvar", "Variable": name})["Value"]) for _ in range(5)]
    assert ("quick", "slow") in plainly
    assert [ask(link.getvar) for _ in range(5)] == [("slow", "quick")] * 5


def test_channel_variables_do_not_end_the_reader(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    event = "Event: Newchannel\r\nChannel: PJSIP/1-0\r\nChanVariable: A=1\r\nChanVariable: B=x=y\r\n\r\n"
    manager = plain()
    seen: list[Event] = []
    link.on_event(seen.append)
    peer.say(event)
    assert within(1, manager.ping) == []
    assert link.send("Ping").ok
    assert eventually(lambda: seen) and seen[0].pairs("ChanVariable") == {"A": "1", "B": "x=y"}


HOSTILE = "x\r\nAction: Originate\r\nChannel: PJSIP/evil"


def test_a_line_break_in_a_value_is_refused(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    plain().send_action({"Action": "Setvar", "Variable": "NAME", "Value": "x\r\n\r\nAction: Evil"})
    assert peer.heard("Evil")
    peer.actions.clear()
    for value in ("x\r\n\r\nAction: Evil", HOSTILE, "x\ny", "x\ry", "x\0y", "\ud800"):
        with pytest.raises(AmiRefused, match="Value"):
            link.setvar("NAME", value)
    for name in ("A\r\nB", "A: b\r\nC", "", "A B", "A\n", "Ä"):
        with pytest.raises(AmiRefused, match="header"):
            link.send("Setvar", {name: "x"})
    with pytest.raises(AmiRefused, match="Action"):
        link.send("Ping\r\nEvil: yes")
    with pytest.raises(AmiRefused, match="ActionID"):
        link.send("Ping", {"ActionID": "1\r\nEvil: yes"})
    with pytest.raises(AmiRefused, match="Variable"):
        link.originate("PJSIP/1", context="x", exten="1", variables={"A": "1\r\n"})
    with pytest.raises(AmiRefused, match="longer than Asterisk reads"):
        link.setvar("NAME", "x" * 10_000)
    link.setvar("NAME", "Zoë 😀 ${SHELL(id)}; ]")
    assert [one["Action"] for one in peer.actions if one["Action"] != "Ping"] == ["Setvar"]
    assert peer.heard("Setvar")["Value"] == "Zoë 😀 ${SHELL(id)}; ]"


def test_a_mute_server_does_not_hang_the_login(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    peer.answers["Login"] = lambda action: None
    assert within(1, plain) == []
    other = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret", timeout=0.3)
    other.start()
    assert eventually(lambda: "did not answer Login" in other.problem)
    assert not other.connected
    assert within(30, other.stop) == [None]


def test_a_server_without_a_greeting_does_not_hang_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert within(1, lambda: Manager().connect("127.0.0.1", port)) == []
        link = AmiLink("127.0.0.1", port, "pbxweb", "secret", timeout=0.3)
        link.start()
        assert eventually(lambda: "silent" in link.problem)
        assert within(30, link.stop) == [None]


def test_an_unanswered_action_ends_and_its_late_answer_is_nobodys(peer: AmiPeer, link: AmiLink) -> None:
    kept: list[dict[str, str]] = []
    peer.answers["Getvar"] = kept.append
    with pytest.raises(AmiTimeout, match="Getvar"):
        link.send("Getvar", {"Variable": "A"}, timeout=0.1)
    peer.answers["Getvar"] = lambda action: success(kept[0], "Value: late\r\n") + success(action, "Value: mine\r\n")
    assert link.getvar("B") == "mine"


def test_the_words_status_will_follow_are_only_words(
    peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink
) -> None:
    manager = plain()
    seen: list[Event] = []
    link.on_event(seen.append)
    peer.say("Event: Newchannel\r\nCallerIDName: status will follow\r\n\r\n")
    assert within(1, manager.ping) == []
    assert link.send("Ping").ok
    assert eventually(lambda: seen) and seen[0].text("CallerIDName") == "status will follow"


def test_a_list_is_collected_and_no_listener_sees_it(peer: AmiPeer, link: AmiLink) -> None:
    def status(action: dict[str, str]) -> bytes:
        key = f"ActionID: {action['ActionID']}\r\n"
        return (
            success(action, "EventList: start\r\nMessage: Channel status will follow\r\n")
            + f"Event: Status\r\n{key}Channel: A\r\n\r\nEvent: Newstate\r\nChannel: B\r\n\r\n".encode()
            + f"Event: StatusComplete\r\n{key}EventList: Complete\r\nItems: 1\r\n\r\n".encode()
        )

    seen: list[Event] = []
    link.on_event(seen.append)
    peer.answers["Status"] = status
    answer, events = link.collect("Status")
    assert answer.message == "Channel status will follow"
    assert [event.get("Channel") for event in events] == ["A"]
    assert eventually(lambda: seen) and [event.name for event in seen] == ["Newstate"]


def test_a_failing_listener_does_not_end_the_events(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    manager = plain()
    heard: list[str] = []
    seen: list[str] = []

    def fail(event: Any, *rest: Any) -> None:
        (heard if rest else seen).append(event.name)
        raise RuntimeError("a listener's own mistake")

    for name in ("One", "Two"):
        manager.register_event(name, fail)
    link.on_event(fail)
    link.on_event(lambda event: seen.append(event.name + " too"))
    peer.say("Event: One\r\n\r\n")
    assert eventually(lambda: heard)
    peer.say("Event: Two\r\n\r\n")
    assert eventually(lambda: len(seen) == 4)
    assert seen == ["One", "One too", "Two", "Two too"]
    assert heard == ["One"]
    assert not manager.event_dispatch_thread.is_alive()


def test_nothing_of_an_action_leaks_into_the_next(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    manager = plain()
    manager.send_action(Action="Getvar", Variable="SECRET")
    manager.send_action(Action="Ping")
    assert peer.heard("Ping")["Variable"] == "SECRET"
    assert peer.heard("Ping")["ActionID"] == peer.heard("Getvar")["ActionID"]
    peer.actions.clear()
    given = {"Variable": "SECRET"}
    link.send("Getvar", given)
    link.send("Ping")
    assert given == {"Variable": "SECRET"}
    assert set(peer.heard("Ping")) == {"Action", "ActionID"}
    assert peer.heard("Ping")["ActionID"] != peer.heard("Getvar")["ActionID"]


def test_the_link_comes_back_after_a_cut(peer: AmiPeer, plain: Callable[[], Manager], link: AmiLink) -> None:
    manager = plain()
    states: list[bool] = []
    link.on_state(lambda up, text: states.append(up))
    peer.drop()
    assert eventually(lambda: not manager.connected())
    with pytest.raises(RuntimeError, match="threads can only be started once"):
        manager.connect("127.0.0.1", peer.port)
    peer.heard("Login")
    assert eventually(lambda: states == [False, True])
    assert link.send("Ping").ok


def test_an_action_that_waits_when_the_link_breaks_is_told(peer: AmiPeer, link: AmiLink) -> None:
    peer.answers["Getvar"] = lambda action: peer.drop()
    started = time.monotonic()
    with pytest.raises(AmiError, match="broke before Asterisk answered"):
        link.send("Getvar", {"Variable": "A"}, timeout=60)
    assert time.monotonic() - started < 30


def test_a_peer_that_went_silent_is_noticed(peer: AmiPeer) -> None:
    states: list[tuple[bool, str]] = []
    link = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret", keepalive=0.1, timeout=0.3)
    link.on_state(lambda up, text: states.append((up, text)))
    link.start()
    try:
        assert link.wait(30)
        peer.answers["Ping"] = lambda action: None
        assert eventually(lambda: (False, "Asterisk gives no sign of life") in states)
        del peer.answers["Ping"]
        assert link.wait(30)
    finally:
        link.stop()


def test_asterisk_test_events_are_dropped(peer: AmiPeer, link: AmiLink) -> None:
    seen: list[str] = []
    link.on_event(lambda event: seen.append(event.name))
    peer.say("Event: TestEvent\r\nType: StateChange\r\n\r\nEvent: Real\r\n\r\n")
    assert eventually(lambda: seen)
    assert seen == ["Real"]


def test_it_waits_until_asterisk_has_started(peer: AmiPeer) -> None:
    peer.answers["Login"] = success
    link = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret")
    link.start()
    try:
        assert eventually(lambda: link.problem == "Asterisk is still starting")
        assert not link.connected
        peer.say(BOOTED.decode())
        assert link.wait(30)
    finally:
        link.stop()


def test_a_wrong_secret_is_said_and_tried_again(peer: AmiPeer) -> None:
    peer.answers["Login"] = lambda action: (
        f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Authentication failed\r\n\r\n".encode()
    )
    link = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret")
    link.start()
    try:
        assert eventually(lambda: link.problem == "Asterisk refused the sign-in: Authentication failed")
        del peer.answers["Login"]
        link.poke()
        assert link.wait(30)
    finally:
        link.stop()


def test_messages_in_pieces_and_foreign_bytes_arrive(peer: AmiPeer, link: AmiLink) -> None:
    seen: list[Event] = []
    link.on_event(seen.append)
    raw = b"Event: Odd\r\nName: Z\xff\xc3\xab\r\nEmpty:\r\nColons: a: b:c\r\n\r\n"
    for number in range(len(raw)):
        peer.connections[0].sendall(raw[number : number + 1])
    assert eventually(lambda: seen)
    assert seen[0].get("Name") == "Z�ë"
    assert seen[0].get("Empty") == ""
    assert seen[0].get("Colons") == "a: b:c"


def test_a_listener_may_send_actions(peer: AmiPeer, link: AmiLink) -> None:
    answers: list[bool] = []
    link.on_event(lambda event: answers.append(link.send("Ping").ok))
    peer.say("Event: One\r\n\r\n")
    assert eventually(lambda: answers == [True])


def test_stopping_leaves_no_thread(peer: AmiPeer) -> None:
    before = {thread.name for thread in threading.enumerate() if thread.name.startswith("ami-")}
    link = AmiLink("127.0.0.1", peer.port, "pbxweb", "secret")
    link.start()
    assert link.wait(30)
    link.stop()
    left = [t.name for t in threading.enumerate() if t.name.startswith("ami-") and t.is_alive()]
    assert not set(left) - before
    assert not link.connected
