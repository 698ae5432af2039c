"""Finding the calls of a filter with a handful of index seeks, however many calls there are.

A choice of phones, directions and outcomes is a UNION of seeks in ``call_parties`` (or ``calls``), each of them already
in the order of the answer. A text that is searched for is looked up among the *distinct* numbers first. There is no
OFFSET over more than the calls of an hour, except for the pages of a search or of a person with several phones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true, union_all
from sqlalchemy.orm import aliased

from pbxweb.calls import tallies
from pbxweb.calls.models import ALL_KINDS, EVERYBODY, Call, Number, Party
from pbxweb.storage.database import db

# So many seeks are joined in one statement; more numbers than that are looked at in another way.
SEEKS = 60
# Up to so many rows are gathered and sorted; beyond, the calls are walked from the newest on.
GATHER = 20_000
OLDEST, NEWEST = 0, 2**62

Places = Select[int, int]


@dataclass(frozen=True)
class Place:
    """A place in the list: behind the call that began at ``started`` and has the number ``seq``."""

    started: int
    seq: int

    def __str__(self) -> str:
        return f"{self.started}-{self.seq}"


@dataclass(frozen=True)
class Window:
    """What to take: ``limit`` places below ``at`` (above it if ``upwards``, nearest first), after skipping ``skip``."""

    at: Place | None
    limit: int
    skip: int = 0
    upwards: bool = False


@dataclass(frozen=True)
class Plan:
    """A filter, resolved: which phones (None: all), kinds and times (microseconds, ``high`` exclusive), and a search.

    ``found`` are the numbers that the search means, where they are few; ``found_calls`` how many calls they have.
    """

    numbers: tuple[str, ...] | None
    kinds: tuple[int, ...]
    low: int = OLDEST
    high: int = NEWEST
    search: str = ""
    found: tuple[str, ...] = ()
    found_calls: int = 0

    @property
    def empty(self) -> bool:
        """Whether there can be no such call."""
        return self.numbers == () or self.low >= self.high or (bool(self.search) and not self.found_calls)

    @property
    def every_kind(self) -> bool:
        """Whether directions and outcomes do not matter."""
        return len(self.kinds) == len(ALL_KINDS)

    @property
    def tallied(self) -> str | None:
        """The one number whose tallies count this plan's calls; None where several or a search would count twice."""
        if self.search or (self.numbers is not None and len(self.numbers) != 1):
            return None
        return EVERYBODY if self.numbers is None else self.numbers[0]


def find(plan: Plan) -> Plan:
    """The plan with its search looked up."""
    if not plan.search:
        return plan
    rows = db.session.execute(
        select(Number.number, Number.calls).where(_named(plan.search)).order_by(Number.calls.desc())
    ).all()
    few = plan.numbers is None and len(rows) * (1 if plan.every_kind else len(plan.kinds)) <= SEEKS
    return replace(
        plan, found=tuple(row.number for row in rows) if few else (), found_calls=sum(row.calls for row in rows)
    )


def total(plan: Plan) -> tuple[int, bool]:
    """How many calls the plan has, and whether that is exact; (0, False) where counting would take long."""
    if plan.tallied is not None:
        return tallies.count(plan.tallied, plan.kinds, plan.low, plan.high), True
    rows = plan.found_calls
    if plan.numbers is not None:
        rows = max(rows, sum(tallies.count(number, plan.kinds, plan.low, plan.high) for number in plan.numbers))
    if rows > GATHER:
        return 0, False
    return db.session.scalar(select(func.count()).select_from(_gathered(plan).subquery())) or 0, True


def jump(plan: Plan, offset: int, limit: int) -> Window:
    """The window that begins with the plan's call number ``offset`` (from 0)."""
    if plan.tallied is None:
        return Window(None, limit, offset)
    high, left = tallies.near(plan.tallied, plan.kinds, plan.low, plan.high, offset)
    return Window(Place(high, 0), limit, left)


def places(plan: Plan, window: Window) -> list[Place]:
    """The places of the window, in its order."""
    if plan.search and plan.numbers is None and not plan.found:
        statement = _gathered(plan) if plan.found_calls <= GATHER else _walked(plan)
        statement = _cut(statement, plan, window).limit(window.limit).offset(window.skip)
    else:
        enough = window.limit + window.skip
        branches = [_cut(branch, plan, window).limit(enough).subquery() for branch in _branches(plan)]
        every = union_all(*[select(branch.c.started, branch.c.seq) for branch in branches]).subquery()
        started, seq = every.c.started, every.c.seq
        order = (started.asc(), seq.asc()) if window.upwards else (started.desc(), seq.desc())
        statement = select(started, seq).distinct().order_by(*order).limit(window.limit).offset(window.skip)
    return [Place(row.started, row.seq) for row in db.session.execute(statement)]


def _cut(statement: Places, plan: Plan, window: Window) -> Places:
    """``statement`` between the plan's times and on the window's side of its place, in the order of the answer.

    The time has one lower and one upper bound, never two: SQLite would look for the wrong one in the index.
    """
    started, seq = statement.selected_columns
    low, high, at = plan.low, plan.high, window.at
    if at is not None and window.upwards:
        low = max(low, at.started)
        statement = statement.where(or_(started > at.started, seq > at.seq))
    elif at is not None:
        high = min(high, at.started + 1)
        statement = statement.where(or_(started < at.started, seq < at.seq))
    statement = statement.where(started >= low, started < high)
    return statement.order_by(*((started.asc(), seq.asc()) if window.upwards else (started.desc(), seq.desc())))


def _branches(plan: Plan) -> list[Places]:
    """One seek for each number and kind."""
    numbers = plan.numbers if plan.numbers is not None else plan.found if plan.search else None
    if numbers is None:
        one = [select(Call.started, Call.seq)]
        return one if plan.every_kind else [one[0].where(Call.kind == kind) for kind in plan.kinds]
    within = _searched(plan) if plan.numbers is not None else true()
    one = [select(Party.started, Party.seq).where(Party.number == number, within) for number in numbers]
    return one if plan.every_kind else [seek.where(Party.kind == kind) for seek in one for kind in plan.kinds]


def _gathered(plan: Plan) -> Places:
    """Every place of the plan, from the side of the numbers: for few rows."""
    numbers: Any = select(Number.number).where(_named(plan.search)) if plan.numbers is None else plan.numbers
    within = _searched(plan) if plan.numbers is not None else true()
    statement = select(Party.started, Party.seq).distinct().where(Party.number.in_(numbers), within)
    return statement.where(_of_kind(Party.kind, plan), Party.started >= plan.low, Party.started < plan.high)


def _walked(plan: Plan) -> Places:
    """Every place of the plan, from the side of the calls: for a text that very many calls have."""
    return select(Call.started, Call.seq).where(_of_kind(Call.kind, plan), _says(Call.seq, plan.search))


def _searched(plan: Plan) -> ColumnElement[bool]:
    """Whether another party of the same call is what the plan searches for; true where it searches for nothing."""
    if not plan.search:
        return true()
    if plan.found_calls > GATHER:
        return _says(Party.seq, plan.search)
    other = aliased(Party)
    return Party.seq.in_(select(other.seq).where(other.number.in_(select(Number.number).where(_named(plan.search)))))


def _says(seq: Any, text: str) -> ColumnElement[bool]:
    """Whether any party of the call ``seq`` has ``text`` in its number or name."""
    other = aliased(Party)
    join = select(other.seq).join(Number, Number.number == other.number)
    return join.where(other.seq == seq, _named(text)).exists()


def _of_kind(kind: Any, plan: Plan) -> ColumnElement[bool]:
    """The plan's kinds, in a form for which SQLite does not leave the order of time: the sum bars the index."""
    return true() if plan.every_kind else (kind + 0).in_(plan.kinds)


def _named(text: str) -> ColumnElement[bool]:
    """Whether a number or its name contains ``text``; a number is found however its digits were grouped."""
    compact = "".join(character for character in text if character not in " -/().")
    number = compact if compact.strip("+*#0123456789") == "" and compact else text
    return or_(Number.number.contains(number, autoescape=True), Number.name.contains(text, autoescape=True))
