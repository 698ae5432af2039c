"""Whatever dies: calls go on, and the history tells each of them once, with the right times."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime

import pytest

from tests.asterisk.pbx import until
from tests.asterisk.phones import Phone, Phones
from tests.served import Served


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
    until(lambda: len(served.history()) >= count, 8, f"{count} calls in the history")
    time.sleep(0.5)
    rows = served.history()
    assert len(rows) == count
    return rows


def test_a_call_survives_the_killed_web_and_is_told_once(served: Served, pair: tuple[Phone, Phone]) -> None:
    began = time.monotonic()
    _talk(pair)
    served.kill_web()
    assert pair[1].hears(440)
    served.start()
    served.sign_in()
    live = until(lambda: served.api("GET", "/calls").body["data"], 5, "the call in the live list")
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
    _talk(pair)
    time.sleep(2)
    pid = served.engine().status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: served.engine().status().pid not in (None, pid), 5, "another Asterisk")
    served.wait_online()
    (row,) = _rows(served, 1)
    assert 2 <= _seconds(row) < 12


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
        if time.monotonic() - killed > 3:  # ten seconds would be kind
            killed = time.monotonic()
            served.kill_web()
            served.start()
    served.sign_in()
    _rows(served, 100)
    assert len({row["id"] for row in served.history()}) == 100
