"""Looks over rendered files before Asterisk sees them: whatever one of them names must exist in another.

``check`` reads every piece once and remembers it by its text, so that after a change to one of 500 phones only that
phone is read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pbxweb.asterisk import dialplan_reader, pjsip_reader
from pbxweb.asterisk.reading import Item, Notes, Reading, options_of
from pbxweb.room import Piece

# Without one of these Asterisk does not start, or takes it for "delete everything".
REQUIRED = (
    "asterisk.conf",
    "modules.conf",
    "logger.conf",
    "manager.conf",
    "cdr.conf",
    "cel.conf",
    "pjsip.conf",
    "pjsip_transports.conf",
    "extensions.conf",
)
# Options of other files whose value is a prompt.
PROMPT_OPTIONS = frozenset({"xfersound", "xferfailsound", "courtesytone", "pickupsound", "pickupfailsound"})
SOUND_ENDINGS = ("gsm", "wav", "wav16", "sln", "sln16", "ulaw", "alaw", "g722")


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in ``file`` at ``line`` (counted from 1 in the whole file)."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class _Read:
    """A piece that was read: its file, how many lines of it come before, the section they leave open, all templates."""

    file: str
    start: int
    section: str
    templates: frozenset[tuple[str, str]]
    reading: Reading


def check(pieces: Sequence[Piece], sounds: Path) -> list[Problem]:
    """What is missing, doubled or empty in ``pieces``, the parts of all files in their order; empty when all is well.

    ``sounds`` is the folder of prompts with one folder a language in it; a prompt must be there in every language.
    """
    return _judge(pieces, list(_read(pieces)), sounds)


def _judge(pieces: Sequence[Piece], read: Sequence[_Read], sounds: Path) -> list[Problem]:
    things = frozenset[Item]().union(*(one.reading.defines for one in read))
    return sorted({*_files(pieces), *_doubles(read, things), *_missing(read, things, sounds)})


class Checker:
    """``check`` for one change after the other: remembers what was good, so that a new name costs next to nothing.

    Prompts are looked for again only when something else that counts has changed.
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._read: list[_Read] = []

    def __call__(self, pieces: Sequence[Piece], sounds: Path) -> list[Problem]:
        """As ``check``."""
        pieces = list(pieces)
        if self._says_the_same(pieces):
            return []
        read = list(_read(pieces))
        found = _judge(pieces, read, sounds)
        self._pieces, self._read = ([], []) if found else (pieces, read)
        return found

    def _says_the_same(self, pieces: list[Piece]) -> bool:
        """Do ``pieces`` define and need what those did that were good? Remembers them, if so."""
        if len(pieces) != len(self._pieces):
            return False
        known = list(self._read)
        for place, (new, old) in enumerate(zip(pieces, self._pieces, strict=True)):
            if new is old or new == old:
                continue
            if new.file != old.file or "(!" in old.text or "(!" in new.text or ("[" in new.text) != ("[" in old.text):
                return False
            was = known[place]
            reading = _reading(new.file, new.text, was.section, was.templates)
            if not reading.says_the_same(was.reading):
                return False
            known[place] = replace(was, reading=reading)
        self._pieces, self._read = pieces, known
        return True


def _read(pieces: Sequence[Piece]) -> Iterator[_Read]:
    templates = frozenset[tuple[str, str]]().union(*(_templates(p.text) for p in pieces if "(!" in p.text))
    lines: dict[str, int] = {}
    section: dict[str, str] = {}
    for piece in pieces:
        file = piece.file
        start, opened = lines.get(file, 0), section.get(file, "")
        reading = _reading(file, piece.text, opened, templates)
        lines[file] = start + reading.lines
        section[file] = reading.last_section
        yield _Read(file, start, opened, templates, reading)


@lru_cache(maxsize=1024)
def _templates(text: str) -> frozenset[tuple[str, str]]:
    return frozenset(pjsip_reader.templates(text))


@lru_cache(maxsize=32768)
def _reading(file: str, text: str, section: str, templates: frozenset[tuple[str, str]]) -> Reading:
    if file == "extensions.conf":
        return dialplan_reader.read(text, section)
    if file.startswith("pjsip"):
        return pjsip_reader.read(text, dict(templates))
    return _read_other(file, text)


def _read_other(file: str, text: str) -> Reading:
    notes = Notes(text)
    for line, key, value in options_of(text):
        if file == "modules.conf" and key in ("load", "preload", "require"):
            notes.define(line, "module", value)
        elif key in PROMPT_OPTIONS and value:
            notes.need(line, "sound", value)
        elif file == "res_parking.conf" and not key:
            notes.define(line, "parking lot", value)
    return notes.reading()


def _files(pieces: Sequence[Piece]) -> Iterator[Problem]:
    full = {piece.file for piece in pieces if "[" in piece.text}
    for file in {*REQUIRED, *(piece.file for piece in pieces)} - full:
        yield Problem(file, 1, "the file would be empty: Asterisk would take that for “delete everything”")


def _doubles(read: Sequence[_Read], things: frozenset[Item]) -> Iterator[Problem]:
    inside = any(one.reading.doubles for one in read)
    if not inside and sum(len(one.reading.defines) for one in read) == len(things):
        return
    seen: set[Item] = set()
    for one in read:
        for item in one.reading.doubles | (one.reading.defines & seen):
            yield Problem(one.file, one.start + one.reading.at[item], f"{item} is there twice")
        seen |= one.reading.defines


def _missing(read: Sequence[_Read], things: frozenset[Item], sounds: Path) -> Iterator[Problem]:
    open_needs = frozenset[Item]().union(*(one.reading.needs for one in read)) - things
    plan = dialplan_reader.Plan(things)
    missing = {need for need in open_needs if not _there(need, things, plan, sounds)}
    for one in read if missing else ():
        for need in one.reading.needs & missing:
            yield Problem(one.file, one.start + one.reading.at[need], f"{need} does not exist")


def _there(need: Item, things: frozenset[Item], plan: dialplan_reader.Plan, sounds: Path) -> bool:
    if need.kind == "sound":
        return _sound_exists(need.name, sounds)
    if need.kind == "place":
        return plan.has(need.name, need.more, need.last)
    if need.kind == "application":
        module = dialplan_reader.APPLICATIONS.get(need.name)
        return module == "" or (module is not None and Item("module", module) in things)
    return False


def _sound_exists(name: str, sounds: Path) -> bool:
    def there(folder: Path) -> bool:
        return any((folder / f"{name}.{ending}").is_file() for ending in SOUND_ENDINGS)

    languages = [folder for folder in sounds.iterdir() if len(folder.name) == 2] if sounds.is_dir() else []
    return there(sounds) or (bool(languages) and all(there(folder) for folder in languages))
