"""What a room (a feature) offers to the house. Pure declarations: importing this imports nothing else of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Blueprint, Flask
    from sqlalchemy.orm import Session

    from pbxweb.runtime import Runtime


@dataclass(frozen=True)
class Piece:
    """A part of one file that Asterisk reads: whole sections, already rendered and quoted.

    ``file`` is the bare name below the instance's ``etc`` folder (``pjsip.conf``). Pieces of one file are joined
    in the order in which the rooms are registered. Equal rows must give the *same* string object (cache the
    rendering of a row), because the check remembers what it has read by the text.
    """

    file: str
    text: str


@dataclass(frozen=True)
class MenuItem:
    """An entry of the main menu: shown to those who hold ``permission``."""

    endpoint: str
    label: Any
    icon: str
    permission: str
    order: int = 50


@dataclass(frozen=True)
class Room:
    """One feature.

    ``views`` and ``api`` return their blueprints (called once by create_app, so nothing is imported early).
    ``read`` takes a session and returns plain frozen data; ``render`` turns that data into pieces and is pure.
    ``restored`` is called after an undo was committed: what lives elsewhere than in the files can follow.
    ``start`` is called with the runtime when the beside-the-web part starts (subscribe to events, add jobs).
    """

    name: str
    views: Callable[[], Sequence[Blueprint]] = tuple
    api: Callable[[], Sequence[Any]] = tuple
    menu: tuple[MenuItem, ...] = ()
    read: Callable[[Session], Any] | None = None
    render: Callable[[Any], Iterable[Piece]] | None = None
    init_app: Callable[[Flask], None] | None = None
    restored: Callable[[], None] | None = None
    start: Callable[[Runtime], None] | None = None
