"""Where a call can go. Each feature registers its kind; nobody imports the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Destination:
    """One place a call can go to: ``extension:201``. ``context``/``exten`` is where the dialplan continues."""

    kind: str
    value: str
    label: str
    context: str
    exten: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True)
class Kind:
    """A kind of destination: its key, its word for people, all of its places, and one of them by value."""

    key: str
    label: Any
    choices: Callable[[], Iterable[Destination]]
    find: Callable[[str], Destination | None]


class Destinations:
    """The registry of one application (``app.extensions["pbxweb.destinations"]``)."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def register(self, kind: Kind) -> None:
        """Add a kind. Raises ValueError when the key is taken."""
        if kind.key in self._kinds:
            raise ValueError(f"destination kind {kind.key!r} is registered twice")
        self._kinds[kind.key] = kind

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds in the order of their registration."""
        return tuple(self._kinds.values())

    def find(self, text: str) -> Destination | None:
        """The destination that ``"extension:201"`` names, or None when there is no such place.

        A bare number means the first kind that knows it.
        """
        key, separator, value = text.partition(":")
        if separator:
            kind = self._kinds.get(key)
            return kind.find(value) if kind else None
        return next((found for kind in self._kinds.values() if (found := kind.find(text))), None)
