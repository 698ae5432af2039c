"""What one piece of a file defines and needs: the common words of the readers behind ``check``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Item(NamedTuple):
    """Something that is defined, or that is named and must be defined somewhere; the same words on both sides.

    ``more`` and ``last`` are an extension's name and its priority or label.
    """

    kind: str
    name: str
    more: str = ""
    last: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


@dataclass(frozen=True)
class Reading:
    """A piece as it was read. ``lines`` counts its line ends, ``last_section`` is the section it leaves open.

    ``doubles`` are defined twice within the piece; ``at`` has the line of each item, from 1 within the piece.
    """

    lines: int
    last_section: str
    defines: frozenset[Item]
    needs: frozenset[Item]
    doubles: frozenset[Item]
    at: Mapping[Item, int] = field(compare=False)

    def says_the_same(self, other: Reading) -> bool:
        """Does ``other`` define and need the same, and leave the same section open?"""
        return (self.defines, self.needs, self.doubles, self.last_section) == (
            other.defines,
            other.needs,
            other.doubles,
            other.last_section,
        )


class Notes:
    """Collects what a reader finds in one piece."""

    def __init__(self, text: str) -> None:
        self._lines = text.count("\n")
        self._defines: set[Item] = set()
        self._needs: set[Item] = set()
        self._doubles: set[Item] = set()
        self._at: dict[Item, int] = {}

    def define(self, line: int, kind: str, name: str, more: str = "", last: str = "") -> None:
        """The piece defines this."""
        item = Item(kind, name, more, last)
        if item in self._defines:
            self._doubles.add(item)
        self._defines.add(item)
        self._at[item] = line

    def need(self, line: int, kind: str, name: str, more: str = "", last: str = "") -> None:
        """The piece names this."""
        item = Item(kind, name, more, last)
        self._needs.add(item)
        self._at.setdefault(item, line)

    def reading(self, last_section: str = "") -> Reading:
        """What was collected."""
        return Reading(
            self._lines,
            last_section,
            frozenset(self._defines),
            frozenset(self._needs),
            frozenset(self._doubles),
            self._at,
        )


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a .conf that say something, with their number; comments are cut off as Asterisk does."""
    for number, line in enumerate(text.split("\n"), 1):
        said = _without_comment(line).strip()
        if said:
            yield number, said


def options_of(text: str) -> Iterator[tuple[int, str, str]]:
    """``(line, key, value)`` for each option, and ``(line, "", name)`` for each section."""
    for number, line in lines_of(text):
        if line.startswith("["):
            yield number, "", line[1:].partition("]")[0]
        elif "=" in line:
            key, _, value = line.partition("=")
            yield number, key.strip(), value.removeprefix(">").strip()


def _without_comment(line: str) -> str:
    start = 0
    while (at := line.find(";", start)) >= 0:
        if at > 0 and line[at - 1] == "\\":
            line = line[: at - 1] + line[at:]
            start = at
        else:
            return line[:at]
    return line
