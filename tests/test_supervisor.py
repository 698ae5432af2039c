"""The parent of the web process: it starts it again when it dies or hangs, and ends it when told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxweb.settings import CHECKOUT
from pbxweb.supervisor import GIVEN_UP
from tests.asterisk.pbx import until

PROGRAM = """
import os, sys, time
from pathlib import Path
from pbxweb import supervisor

supervisor.LOOK_SECONDS = 0.2
lives, pulse = Path(sys.argv[1]), supervisor.Pulse()

def work():
    with lives.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    {work}

sys.exit(supervisor.supervise(work, pulse, stop_seconds=1, hang_seconds=1))
"""
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def lives(tmp_path: Path) -> Path:
    """The file with the process number of each child."""
    return tmp_path / "lives"


@pytest.fixture
def start(lives: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[bytes]] = []

    def begin(work: str) -> subprocess.Popen[bytes]:
        program = PROGRAM.replace("{work}", work)
        running.append(subprocess.Popen([sys.executable, "-c", program, str(lives)], cwd=CHECKOUT))
        return running[-1]

    yield begin
    for one in running:
        one.kill()
        one.wait()
        for pid in children(lives):
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)


def children(lives: Path) -> list[int]:
    return [int(line) for line in lives.read_text().split()] if lives.exists() else []


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


BEATING = "while True: pulse.beat(); time.sleep(0.05)"


def test_a_child_that_cannot_work_is_not_started_again(start: Start, lives: Path) -> None:
    assert start(f"return {GIVEN_UP}").wait(30) == GIVEN_UP
    assert len(children(lives)) == 1


def test_a_child_that_dies_is_started_again(start: Start, lives: Path) -> None:
    start("os.abort()")
    until(lambda: len(children(lives)) >= 3, what="the third child")


def test_a_child_that_hangs_is_ended_and_started_again(start: Start, lives: Path) -> None:
    start("time.sleep(1000)")
    until(lambda: len(children(lives)) >= 2, what="the second child")
    assert gone(children(lives)[0])


def test_a_child_that_lives_is_left_alone(start: Start, lives: Path) -> None:
    start(BEATING)
    until(lambda: children(lives), what="the child")
    time.sleep(3)
    assert len(children(lives)) == 1


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_it_ends_its_child_and_itself_when_told(start: Start, lives: Path, told: signal.Signals) -> None:
    started = start(BEATING)
    until(lambda: children(lives), what="the child")
    started.send_signal(told)
    assert started.wait(30) == 0
    assert gone(children(lives)[0])


def test_a_child_that_does_not_listen_is_ended_all_the_same(start: Start, lives: Path) -> None:
    started = start(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    {BEATING}")
    until(lambda: children(lives), what="the child")
    time.sleep(0.3)
    started.terminate()
    assert started.wait(30) == 0
    assert gone(children(lives)[0])


def test_it_can_be_told_to_end_between_two_children(start: Start, lives: Path) -> None:
    started = start("os.abort()")
    until(lambda: len(children(lives)) >= 3, what="the third child")
    started.terminate()
    assert started.wait(30) == 0
    count = len(children(lives))
    time.sleep(1)
    assert len(children(lives)) == count
