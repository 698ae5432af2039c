"""The tables of the history, and the numbers that stand for a call's direction and outcome.

``kind`` = direction * 4 + disposition, so that any choice of the two is a handful of seeks in one index. Times are
whole microseconds since 1970 (UTC), as Asterisk measured them. Nothing here configures Asterisk.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbxweb.calls.fold import DIRECTIONS, DISPOSITIONS
from pbxweb.storage.database import Model

MICRO = 1_000_000
HOUR, DAY, EVER = 3600 * MICRO, 86400 * MICRO, 0
NAMESPACE = uuid.UUID("6f0c1f54-6d6f-5a0e-9d53-3a1f0a7f3f10")
EVERYBODY = ""


def kind_of(direction: str, disposition: str) -> int:
    """The number of this direction and outcome. Raises ValueError for an unknown word."""
    return DIRECTIONS.index(direction) * len(DISPOSITIONS) + DISPOSITIONS.index(disposition)


def kinds_of(directions: Iterable[str] = (), dispositions: Iterable[str] = ()) -> list[int]:
    """The numbers of all combinations; nothing given means all of them."""
    return [
        kind_of(direction, disposition)
        for direction in tuple(directions) or DIRECTIONS
        for disposition in tuple(dispositions) or DISPOSITIONS
    ]


ALL_KINDS = frozenset(range(len(DIRECTIONS) * len(DISPOSITIONS)))


def words_of(kind: int) -> tuple[str, str]:
    """The direction and the disposition that ``kind`` stands for."""
    direction, disposition = divmod(kind, len(DISPOSITIONS))
    return DIRECTIONS[direction], DISPOSITIONS[disposition]


def call_id(linkedid: str) -> str:
    """The id under which a call is known to pages and API, live and later in the history: a UUID.

    Click-to-call gives its channel a UUID, which then is the Linkedid; any other Linkedid always yields the same UUID.
    """
    try:
        return str(uuid.UUID(linkedid))
    except ValueError:
        return str(uuid.uuid5(NAMESPACE, linkedid))


def moment(micro: int) -> datetime:
    """Microseconds since 1970 as an aware UTC time."""
    return datetime.fromtimestamp(micro // MICRO, UTC).replace(microsecond=micro % MICRO)


def micro(at: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return round(at.timestamp() * MICRO)


class Call(Model):
    """A call that has ended, as a person means it."""

    __tablename__ = "calls"
    __table_args__ = (
        UniqueConstraint("linkedid", "started", name="uq_calls_linkedid"),
        Index("ix_calls_started", "started", "seq"),
        Index("ix_calls_kind_started", "kind", "started", "seq"),
    )

    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    linkedid: Mapped[str] = mapped_column(String(64))
    kind: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(BigInteger)
    answered: Mapped[int | None] = mapped_column(BigInteger, default=None)
    ended: Mapped[int] = mapped_column(BigInteger)
    caller_number: Mapped[str] = mapped_column(String(80))
    caller_name: Mapped[str] = mapped_column(String(80), default="")
    called_number: Mapped[str] = mapped_column(String(80))
    called_name: Mapped[str] = mapped_column(String(80), default="")
    answered_by: Mapped[str] = mapped_column(String(80), default="")
    ring_seconds: Mapped[int] = mapped_column(Integer)
    talk_seconds: Mapped[int] = mapped_column(Integer)
    cut: Mapped[bool] = mapped_column(default=False)
    story: Mapped[str] = mapped_column(Text, default="{}")

    @property
    def direction(self) -> str:
        """internal, inbound or outbound."""
        return words_of(self.kind)[0]

    @property
    def disposition(self) -> str:
        """answered, missed, busy or failed."""
        return words_of(self.kind)[1]

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return moment(self.started)

    @property
    def answered_at(self) -> datetime | None:
        """When it was answered, if it was."""
        return None if self.answered is None else moment(self.answered)

    @property
    def ended_at(self) -> datetime:
        """When it ended."""
        return moment(self.ended)

    @property
    def legs(self) -> list[dict[str, Any]]:
        """The devices in it: number, name, role, outcome, and when each began, answered and ended."""
        return list(json.loads(self.story).get("legs", ()))

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What happened on the way: what (transferred, picked up, parked, fetched), by whom, to whom, at."""
        return list(json.loads(self.story).get("steps", ()))


class Party(Model):
    """A number that had to do with a call; ordered so that one number's newest calls are one seek away."""

    __tablename__ = "call_parties"
    __table_args__ = (
        Index("ix_call_parties_kind", "number", "kind", "started", "seq"),
        Index("ix_call_parties_seq", "seq", "number"),
        {"sqlite_with_rowid": False},
    )

    number: Mapped[str] = mapped_column(String(80), primary_key=True)
    started: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[int] = mapped_column(Integer)
    talk_seconds: Mapped[int] = mapped_column(Integer)


class Number(Model):
    """Every number that ever had to do with a call, how often, and the name it had last: what a search looks at."""

    __tablename__ = "call_numbers"

    number: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), default="")
    calls: Mapped[int] = mapped_column(Integer)


class Tally(Model):
    """How many calls of a kind began in an hour, a day or ever, and how long they talked; kept with each call.

    ``number`` is a phone's, or empty for everybody. ``span`` is HOUR, DAY or EVER; ``bucket`` is when it begins (UTC).
    """

    __tablename__ = "call_tallies"
    __table_args__ = ({"sqlite_with_rowid": False},)

    number: Mapped[str] = mapped_column(String(80), primary_key=True)
    span: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    bucket: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[int] = mapped_column(Integer, primary_key=True)
    calls: Mapped[int] = mapped_column(Integer)
    talk_seconds: Mapped[int] = mapped_column(BigInteger)


class Intake(Model):
    """How far Asterisk's events were read: one row. ``mark`` tells the row at the watermark from any other's.

    ``alive`` is the last moment at which Asterisk was known to run, in microseconds since 1970.
    """

    __tablename__ = "call_intake"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    watermark: Mapped[int] = mapped_column(BigInteger, default=0)
    mark: Mapped[str] = mapped_column(Text, default="")
    events: Mapped[int] = mapped_column(BigInteger, default=0)
    alive: Mapped[int] = mapped_column(BigInteger, default=0)


class OpenEvent(Model):
    """An event of a call that has not ended: read, counted, and waiting for the rest."""

    __tablename__ = "call_open_events"

    n: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    body: Mapped[str] = mapped_column(Text)
