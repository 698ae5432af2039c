"""How many calls there were: today, this week, this month, and day by day. From the tallies, never from the calls.

Days are those of the reader's time zone; a week begins on Monday. A chart's day takes whole hours of UTC, so in a zone
that is half an hour off, a call within that half hour can be drawn a day too early; the figures are always exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from sqlalchemy import select

from pbxweb.calls import tallies
from pbxweb.calls.fold import ANSWERED, BUSY, FAILED, INBOUND, INTERNAL, MISSED, OUTBOUND
from pbxweb.calls.history import own_numbers
from pbxweb.calls.models import DAY, EVERYBODY, Call, micro, moment, words_of
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db, utcnow

PERMISSION = "calls.statistics"
CHART_DAYS = 30


@dataclass(frozen=True)
class Figures:
    """The calls that began in a stretch of time."""

    start: datetime
    end: datetime
    total: int
    answered: int
    missed: int
    busy: int
    failed: int
    inbound: int
    outbound: int
    internal: int
    talk_seconds: int

    @property
    def average_talk_seconds(self) -> int:
        """How long an answered call lasted on average."""
        return round(self.talk_seconds / self.answered) if self.answered else 0


@dataclass(frozen=True)
class Day:
    """One bar of the chart."""

    day: date
    total: int
    answered: int


@dataclass(frozen=True)
class Statistics:
    """All of it, as one reader may see it; ``timezone`` is whose days these are."""

    timezone: str
    today: Figures
    week: Figures
    month: Figures
    days: list[Day]


def zone() -> tzinfo:
    """The time zone of who reads this."""
    from flask_babel import get_timezone

    found: tzinfo = get_timezone()
    return found


def midnight(day: date, where: tzinfo) -> datetime:
    """When ``day`` begins in the zone ``where``."""
    localize = getattr(where, "localize", None)
    naive = datetime.combine(day, time())
    found: datetime = localize(naive) if localize else naive.replace(tzinfo=where)
    return found


def numbers_for(actor: Actor, extension: str = "") -> tuple[str, ...]:
    """Whose tallies ``actor`` may add up: EVERYBODY alone, one phone, or the own ones. Raises Forbidden."""
    own = own_numbers(actor, PERMISSION)
    if extension:
        return (extension,) if own is None or extension in own else ()
    return (EVERYBODY,) if own is None else own


def statistics(actor: Actor, extension: str = "", now: datetime | None = None) -> Statistics:
    """The figures of today, this week and this month, and the last thirty days. Raises Forbidden."""
    where = zone()
    numbers = numbers_for(actor, extension)
    today = (now or utcnow()).astimezone(where).date()
    tomorrow = midnight(today + timedelta(days=1), where)
    monday = today - timedelta(days=today.weekday())
    return Statistics(
        timezone=str(where),
        today=figures(numbers, midnight(today, where), tomorrow),
        week=figures(numbers, midnight(monday, where), tomorrow),
        month=figures(numbers, midnight(today.replace(day=1), where), tomorrow),
        days=chart(numbers, today, where),
    )


def figures(numbers: Sequence[str], start: datetime, end: datetime) -> Figures:
    """The calls of ``numbers`` that began from ``start`` until before ``end``."""
    sums = tallies.sums(numbers, micro(start), micro(end)) if numbers else {}
    words: dict[str, int] = {}
    for kind, (calls, _) in sums.items():
        for word in words_of(kind):
            words[word] = words.get(word, 0) + calls
    return Figures(
        start=start,
        end=end,
        total=sum(calls for calls, _ in sums.values()),
        answered=words.get(ANSWERED, 0),
        missed=words.get(MISSED, 0),
        busy=words.get(BUSY, 0),
        failed=words.get(FAILED, 0),
        inbound=words.get(INBOUND, 0),
        outbound=words.get(OUTBOUND, 0),
        internal=words.get(INTERNAL, 0),
        talk_seconds=sum(talk for _, talk in sums.values()),
    )


def chart(numbers: Sequence[str], last: date, where: tzinfo, days: int = CHART_DAYS) -> list[Day]:
    """The ``days`` days until ``last``, the oldest first."""
    first = last - timedelta(days=days - 1)
    totals = {first + timedelta(days=i): [0, 0] for i in range(days)}
    low, high = micro(midnight(first, where)), micro(midnight(last + timedelta(days=1), where))
    for hour, calls, answered in tallies.by_hour(numbers, low, high) if numbers else ():
        day = totals.get(moment(hour).astimezone(where).date())
        if day is not None:
            day[0] += calls
            day[1] += answered
    return [Day(day, total, answered) for day, (total, answered) in totals.items()]


def peak(begin: datetime, live: Iterable[datetime]) -> int:
    """The most calls there were at one moment since ``begin``: the history's and those under way, begun at ``live``.

    A call of the history counts when it began at most a day before ``begin``.
    """
    since = micro(begin)
    spans = select(Call.started, Call.ended).where(Call.started >= since - DAY, Call.ended >= since)
    changes = [(micro(at), 1) for at in live]
    for started, ended in db.session.execute(spans):
        changes += [(started, 1), (max(started, ended) + 1, -1)]
    count = most = 0
    for at, change in sorted(changes):
        count += change
        most = max(most, count) if at >= since else count
    return most
