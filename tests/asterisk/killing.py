"""Run by a test: forks processes that change phones, and kills them at random moments.

Forks come from this small process without threads, because starting Python two hundred times would take minutes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pbxweb.asterisk.conf import REVISION, with_marker
from pbxweb.security.errors import Refused
from tests.asterisk.house import FILES, Office, row

LONGEST = 0.06


def forked(work: Callable[[], None]) -> tuple[int, int]:
    """Run ``work`` in a process of its own; its pid, and a pipe that can be read once it is ready."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, ready
    code = 1
    try:
        os.close(ready)
        os.write(tell, b"x")
        work()
        code = 0
    finally:
        os._exit(code)


def change_for_ever(house: Office, seed: int) -> None:
    """Give phones new names until killed."""
    chance = random.Random(seed)
    while True:
        number = str(200 + chance.randrange(20))
        try:
            if chance.random() < 0.2:
                with house.change():
                    row(number).status = chance.choice(["active", "inactive"])
            else:
                house.rename(number, f"Name {chance.randrange(10 ** chance.randrange(1, 9))}")
        except Refused:
            continue


def rename_all(home: str, words: list[str]) -> None:
    """Give every phone of ``words[1:]`` the name ``words[0]`` and its number, one change each."""
    house = Office.of(Path(home))
    for number in words[1:]:
        house.rename(number, f"{words[0]} {number}")


def damaged(etc: Path) -> list[str]:
    """Files that are not whole: the two with a revision must end in the revision of their text."""
    wrong = []
    for path in etc.glob("*.conf"):
        text = path.read_text()
        if not text.strip():
            wrong.append(path.name)
        if path.name in FILES:
            body = text.rpartition(f"\n[{REVISION}]\n")[0]
            if with_marker(path.name, body) != text:
                wrong.append(path.name)
    return wrong


def main(home: Path, rounds: int) -> None:
    """Kill ``rounds`` times; print as JSON what was found wrong, and how often files had been left half replaced."""
    chance = random.Random(rounds)
    folder = home / "asterisk" / "etc"
    wrong: list[str] = []
    begun = missing = 0
    names = {path.name for path in folder.glob("*.conf")}
    for index in range(rounds):
        pid, ready = forked(lambda seed=index: change_for_ever(Office.of(home), seed))  # type: ignore[misc]
        os.read(ready, 1)
        os.close(ready)
        time.sleep(chance.uniform(0.05, 0.05 + LONGEST))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        wrong += damaged(folder)
        missing += names != {path.name for path in folder.glob("*.conf")}
        begun += any(path.name[0] == "." for path in folder.iterdir())
    print(json.dumps({"wrong": wrong, "missing": missing, "begun": begun}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
