"""Whatever dies: calls go on, and the history tells each of them once, with the right times."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime

import pytest

from tests.asterisk.pbx import until
from tests.asterisk.phones import Phone, Phones
from tests.served import Served
from tests.visitor import Visitor

# Seconds in which it recovers by itself, as it is promised.
RECOVERY = 5
DOWN = ("Asterisk does not answer", "Asterisk is not running")


@pytest.fixture
def pair(served: Served, handsets: Phones) -> tuple[Phone, Phone]:
    first, second = served.set_up(phones=2)
    return (
        handsets.add(first["number"], password=first["password"], hertz=440),
        handsets.add(second["number"], password=second["password"], hertz=620, answer="auto"),
    )


def _talk(pair: tuple[Phone, Phone]) -> None:
    first, second = pair
    first.forget()
    second.forget()
    first.dial(second.number).talking()
    assert second.hears(440)


def _seconds(row: dict[str, str]) -> float:
    return (datetime.fromisoformat(row["endedAt"]) - datetime.fromisoformat(row["startedAt"])).total_seconds()


def _rows(served: Served, count: int) -> list[dict[str, str]]:
    """All calls of the history, page by page: ``count`` of them, each once."""
    until(lambda: len(served.history()) >= min(count, 100), what=f"{count} calls in the history")
    time.sleep(0.5)
    rows, cursor = [], ""
    while True:
        answer = served.api("GET", f"/calls/history?limit=40{cursor}")
        assert answer.status == 200, answer
        rows += answer.body["data"]
        following = answer.body["meta"]["nextCursor"]
        if not following:
            break
        cursor = f"&cursor={following}"
    assert len(rows) == count
    assert len({row["id"] for row in rows}) == count
    return rows


def _cut_link(served: Served) -> None:
    """Asterisk throws pbxweb out of its manager interface."""
    engine = served.engine()
    listed = engine.cli("manager show connected")
    for session in re.findall(r"^\s+pbxweb\s+\S+\s+\d+\s+\d+\s+(\d+)", listed, re.MULTILINE):
        engine.cli(f"manager kick session {session}")


def _live(served: Served) -> list[tuple[str, str]]:
    return [(call["callerNumber"], call["state"]) for call in served.api("GET", "/calls").body["data"]]


def _is_said(served: Served) -> bool:
    """The overview says that the telephone system does not answer."""
    return any(words in Visitor(served).get("/")[1] for words in DOWN)


def test_a_call_survives_the_killed_web_and_is_told_once(served: Served, pair: tuple[Phone, Phone]) -> None:
    began = time.monotonic()
    _talk(pair)
    served.kill_web()
    assert pair[1].hears(440)
    served.start()
    served.sign_in()
    live = until(lambda: served.api("GET", "/calls").body["data"], what="the call in the live list")
    assert [(call["callerNumber"], call["state"]) for call in live] == [(pair[0].number, "answered")]
    pair[0].hang_up().closed()
    lasted = time.monotonic() - began
    (row,) = _rows(served, 1)
    assert row["disposition"] == "answered"
    assert abs(_seconds(row) - lasted) < 3


def test_calls_while_pbxweb_is_down_are_told(served: Served, pair: tuple[Phone, Phone]) -> None:
    served.kill_web()
    for _ in range(3):
        _talk(pair)
        pair[0].hang_up().closed()
    served.start()
    served.sign_in()
    assert {row["disposition"] for row in _rows(served, 3)} == {"answered"}


def test_a_killed_asterisk_comes_back_and_its_call_is_told(served: Served, pair: tuple[Phone, Phone]) -> None:
    began = time.monotonic()
    _talk(pair)
    time.sleep(2)
    pid = served.engine().status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: served.engine().status().pid not in (None, pid), RECOVERY, "another Asterisk")
    served.wait_online(RECOVERY)
    (row,) = _rows(served, 1)
    assert 2 <= _seconds(row) < time.monotonic() - began


def test_a_restarted_asterisk_comes_back_and_its_call_is_told(served: Served, pair: tuple[Phone, Phone]) -> None:
    began = time.monotonic()
    _talk(pair)
    time.sleep(2)
    served.engine().cli("core restart now")
    until(lambda: _rows_so_far(served), what="the call to be told")
    served.wait_online(RECOVERY)
    (row,) = _rows(served, 1)
    assert 2 <= _seconds(row) < time.monotonic() - began
    _again(served, pair)


def _rows_so_far(served: Served) -> int:
    return len(served.history())


def _again(served: Served, pair: tuple[Phone, Phone]) -> None:
    """The phones are known to the new Asterisk and can call at once; that call is told as well."""
    for phone in pair:
        phone.command("hangup")
    _talk(pair)
    pair[0].hang_up().closed()
    _rows(served, 2)


def test_a_link_that_is_cut_twenty_times_comes_back_and_calls_are_told(
    served: Served, pair: tuple[Phone, Phone]
) -> None:
    first, second = pair
    _talk(pair)
    for number in range(20):
        if number % 4 == 3:
            first.hang_up().closed()
            _cut_link(served)
            _talk(pair)
        _cut_link(served)
        served.wait_online(RECOVERY)
        until(lambda: _live(served) == [(first.number, "answered")], RECOVERY, "the call in the live list")
    assert second.hears(440)
    first.hang_up().closed()
    rows = _rows(served, 6)
    assert {row["disposition"] for row in rows} == {"answered"}


def test_an_asterisk_that_hangs_is_said_and_its_calls_go_on_afterwards(
    served: Served, pair: tuple[Phone, Phone]
) -> None:
    _talk(pair)
    assert not _is_said(served)
    pid = served.engine().status().pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: _is_said(served), what="the page to say so")
        assert served.api("GET", "/system/status", token="").body["services"]["sip"] == "unhealthy"
    finally:
        os.kill(pid, signal.SIGCONT)
    served.wait_online(RECOVERY)
    until(lambda: not _is_said(served), RECOVERY, "the page to be as before")
    assert _live(served) == [(pair[0].number, "answered")]
    assert pair[1].hears(440)
    pair[0].hang_up().closed()
    _rows(served, 1)


@pytest.mark.timeout(400)
def test_no_call_is_lost_or_doubled_while_the_web_is_killed_again_and_again(
    served: Served, pair: tuple[Phone, Phone]
) -> None:
    first, second = pair
    second.command("quit")
    killed = time.monotonic()
    for _ in range(100):
        first.forget()
        first.dial("*43").talking()
        time.sleep(0.1)
        first.hang_up().closed()
        if time.monotonic() - killed > 8:
            killed = time.monotonic()
            served.kill_web()
            served.start()
    served.sign_in()
    _rows(served, 100)
