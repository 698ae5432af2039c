"""Counting calls without looking at them: whole days and hours from the tallies, the broken ends from the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, select, true

from pbxweb.calls.fold import ANSWERED, DISPOSITIONS
from pbxweb.calls.models import ALL_KINDS, DAY, EVER, EVERYBODY, HOUR, Call, Party, Tally
from pbxweb.storage.database import db

FOREVER = 2**62


@dataclass(frozen=True)
class Piece:
    """A stretch of time: whole buckets of ``span``, or (``span`` None) calls to be looked at one by one."""

    span: int | None
    low: int
    high: int


def pieces(low: int, high: int, spans: Sequence[int] = (DAY, HOUR)) -> Iterator[Piece]:
    """``[low, high)`` cut into whole days, whole hours and what is left at both ends. Microseconds."""
    if low >= high:
        return
    if not spans:
        yield Piece(None, low, high)
        return
    span, smaller = spans[0], spans[1:]
    first, last = -(-low // span) * span, high // span * span
    if first >= last:
        yield from pieces(low, high, smaller)
        return
    yield from pieces(low, first, smaller)
    yield Piece(span, first, last)
    yield from pieces(last, high, smaller)


def sums(numbers: Sequence[str], low: int, high: int) -> dict[int, tuple[int, int]]:
    """How many calls of each kind began in ``[low, high)``, and the seconds they talked: {kind: (calls, seconds)}.

    In: phones' numbers, or EVERYBODY alone. A call between two of several numbers counts for each of them.
    """
    total: dict[int, tuple[int, int]] = {}
    for piece in pieces(low, high):
        for kind, calls, talk in db.session.execute(_sum(numbers, piece)).all():
            before = total.get(kind, (0, 0))
            total[kind] = (before[0] + calls, before[1] + (talk or 0))
    return total


def _sum(numbers: Sequence[str], piece: Piece) -> Select[Any, Any, Any]:
    if piece.span is not None:
        return (
            select(Tally.kind, func.sum(Tally.calls), func.sum(Tally.talk_seconds))
            .where(Tally.number.in_(numbers), Tally.span == piece.span)
            .where(Tally.bucket >= piece.low, Tally.bucket < piece.high)
            .group_by(Tally.kind)
        )
    table = Call if EVERYBODY in numbers else Party
    statement = select(table.kind, func.count(), func.sum(table.talk_seconds))
    statement = statement.where(table.started >= piece.low, table.started < piece.high).group_by(table.kind)
    return statement if table is Call else statement.where(Party.number.in_(numbers))


def count(number: str, kinds: Sequence[int], low: int, high: int) -> int:
    """How many calls of these kinds the number (EVERYBODY: all of them) had in ``[low, high)``."""
    if not _is_tallied(number):
        statement = select(func.count()).where(Party.number == number, Party.kind.in_(kinds))
        return db.session.scalar(statement.where(Party.started >= low, Party.started < high)) or 0
    if low <= 0 and high >= FOREVER:
        statement = select(func.sum(Tally.calls)).where(Tally.number == number, Tally.span == EVER, Tally.bucket == 0)
        return db.session.scalar(statement.where(Tally.kind.in_(kinds))) or 0
    return sum(calls for kind, (calls, _) in sums([number], low, high).items() if kind in kinds)


def _is_tallied(number: str) -> bool:
    """Only phones (and everybody) are tallied; a number outside is counted in the index."""
    if number == EVERYBODY:
        return True
    statement = select(Tally.number).where(Tally.number == number, Tally.span == EVER, Tally.bucket == 0).limit(1)
    return db.session.scalar(statement) is not None


def near(number: str, kinds: Sequence[int], low: int, high: int, offset: int) -> tuple[int, int]:
    """Where the call number ``offset`` (from 0, newest first) of the number's calls in ``[low, high)`` is.

    Out: a time such that the call is among the newest before it, and how many calls before it are still to be skipped:
    at most those of one hour.
    """
    left = offset
    if not _is_tallied(number):
        return high, left
    for span in (DAY, HOUR):
        edge = high // span * span
        if edge < high < FOREVER:
            broken = count(number, kinds, max(low, edge), high)
            if broken > left:
                return high, left
            left, high = left - broken, edge
        for bucket, calls in db.session.execute(_newest(number, kinds, low, high, span)):
            if calls > left:
                high = min(high, bucket + span)
                break
            left, high = left - calls, bucket
    return high, left


def _newest(number: str, kinds: Sequence[int], low: int, high: int, span: int) -> Select[int, int]:
    """The number's buckets of ``span`` before ``high``, newest first; hours are wanted of one day only."""
    return (
        select(Tally.bucket, func.sum(Tally.calls))
        .where(Tally.number == number, Tally.span == span, Tally.bucket < high, Tally.bucket > low - span)
        .where(true() if len(kinds) == len(ALL_KINDS) else Tally.kind.in_(kinds))
        .group_by(Tally.bucket)
        .order_by(Tally.bucket.desc())
        .limit(25 if span == HOUR else None)
    )


def by_hour(numbers: Sequence[str], low: int, high: int) -> list[tuple[int, int, int]]:
    """For charts: (hour, calls, answered calls) of every hour with calls that begins in ``[low, high)``."""
    answered = case((Tally.kind % len(DISPOSITIONS) == DISPOSITIONS.index(ANSWERED), Tally.calls), else_=0)
    statement = (
        select(Tally.bucket, func.sum(Tally.calls), func.sum(answered))
        .where(Tally.number.in_(numbers), Tally.span == HOUR, Tally.bucket >= low, Tally.bucket < high)
        .group_by(Tally.bucket)
    )
    return [(bucket, calls, good) for bucket, calls, good in db.session.execute(statement)]
