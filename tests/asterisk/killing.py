"""Run by a test: forks processes that change phones, and kills them at random moments.

Forks come from this small process without threads, because starting Python two hundred times would take minutes.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import signal
import sys
import time
from pathlib import Path

from pbxweb.asterisk.check import check
from pbxweb.asterisk.conf import REVISION, with_marker
from pbxweb.extensions import conf as phones_conf
from pbxweb.security.errors import Refused
from pbxweb.system import conf as base_conf
from tests.asterisk.house import FILES, Office, row


def forked(home: Path, seed: int) -> tuple[int, float]:
    """A process that changes phones for ever; its pid, and the seconds that its last change took."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        with os.fdopen(ready, "rb") as pipe:
            return pid, float(pipe.readline())
    try:
        os.close(ready)
        change_for_ever(Office.of(home), seed, tell)
    finally:
        os._exit(1)


def change_for_ever(house: Office, seed: int, tell: int) -> None:
    """Give phones new names until killed; tell when it has got going."""
    chance = random.Random(seed)
    for count in itertools.count():
        number = str(200 + chance.randrange(20))
        began = time.perf_counter()
        try:
            if chance.random() < 0.2:
                with house.change():
                    row(number).status = chance.choice(["active", "inactive"])
            else:
                house.rename(number, f"Name {chance.randrange(10 ** chance.randrange(1, 9))}")
        except Refused:
            continue
        if count == 1:
            os.write(tell, f"{time.perf_counter() - began}\n".encode())


def rename_all(home: str, words: list[str]) -> None:
    """Give every phone of ``words[1:]`` the name ``words[0]`` and its number, one change each."""
    house = Office.of(Path(home))
    for number in words[1:]:
        house.rename(number, f"{words[0]} {number}")


def warm(home: Path) -> None:
    """Do once, before the forks, what each would do again: compile templates, render and read what never changes."""
    _settings, base = pickle.loads((home / "house.pickle").read_bytes())
    check([*phones_conf.static_pieces(), *base_conf.base_pieces(base)], home / "asterisk" / "data" / "sounds")


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
    warm(home)
    for index in range(rounds):
        pid, change = forked(home, index)
        time.sleep(chance.uniform(0, 2 * change))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        wrong += damaged(folder)
        missing += names != {path.name for path in folder.glob("*.conf")}
        begun += any(path.name[0] == "." for path in folder.iterdir())
    print(json.dumps({"wrong": wrong, "missing": missing, "begun": begun}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
