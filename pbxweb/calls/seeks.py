"""Finding the calls of a filter with a handful of index seeks, however many calls there are.

A choice of phones, directions and outcomes is a UNION of seeks in ``call_parties`` (or ``calls``), each of them already
in the order of the answer. A text that is searched for is looked up among the *distinct* numbers first. There is no
OFFSET over more than the calls of an hour, except for the pages of a search or of a person with several phones.

Building a statement takes longer than SQLite needs to answer it, so each is built once for all plans of its shape and
kept; what differs (numbers, times, the text) are its parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, or_, select, true, union_all
from sqlalchemy.orm import aliased

from pbxweb.calls import tallies
from pbxweb.calls.models import ALL_KINDS, EVERYBODY, Call, Number, Party
from pbxweb.storage.database import db

# So many seeks are joined in one statement; more numbers than that are looked at in another way.
SEEKS = 60
# Up to so many rows are gathered and sorted; beyond, the calls are walked from the newest on.
GATHER = 20_000
OLDEST, NEWEST = 0, 2**62
# How many shapes of statements are kept: those of the last filters that people used.
KEPT = 64

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
    def sought(self) -> tuple[str, ...]:
        """The numbers for which there is a seek each: the plan's own, else those that its search found."""
        return self.found if self.numbers is None else self.numbers

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


class Shape(NamedTuple):
    """What makes one plan's statements differ from another's.

    ``numbers`` and ``kinds`` count what there is a seek for (``kinds`` 0: every kind); ``own`` says whether the numbers
    are the plan's own or those that its search found, or neither (None); ``searched`` whether there is a text, and
    ``wide`` whether very many calls have it.
    """

    numbers: int
    kinds: int
    own: bool | None
    searched: bool
    wide: bool


def find(plan: Plan) -> Plan:
    """The plan with its search looked up."""
    if not plan.search:
        return plan
    rows = db.session.execute(_numbers(), _says_what(plan)).all()
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
    return db.session.scalar(_counting(_shape(plan)), _values(plan)) or 0, True


def jump(plan: Plan, offset: int, limit: int) -> Window:
    """The window that begins with the plan's call number ``offset`` (from 0)."""
    if plan.tallied is None:
        return Window(None, limit, offset)
    high, left = tallies.near(plan.tallied, plan.kinds, plan.low, plan.high, offset)
    return Window(Place(high, 0), limit, left)


def places(plan: Plan, window: Window) -> list[Place]:
    """The places of the window, in its order."""
    statement = _listing(_shape(plan), window.at is not None, window.upwards)
    values = _values(plan) | {"limit": window.limit, "skip": window.skip, "enough": window.limit + window.skip}
    if window.at is not None:
        values |= {"at_started": window.at.started, "at_seq": window.at.seq}
        if window.upwards:
            values["low"] = max(plan.low, window.at.started)
        else:
            values["high"] = min(plan.high, window.at.started + 1)
    return [Place(row.started, row.seq) for row in db.session.execute(statement, values)]


def _shape(plan: Plan) -> Shape:
    return Shape(
        numbers=len(plan.sought),
        kinds=0 if plan.every_kind else len(plan.kinds),
        own=True if plan.numbers is not None else False if plan.found else None,
        searched=bool(plan.search),
        wide=plan.found_calls > GATHER,
    )


def _values(plan: Plan) -> dict[str, Any]:
    """What the plan's statements are asked with."""
    values: dict[str, Any] = {"low": plan.low, "high": plan.high, "kinds": plan.kinds, "numbers": plan.sought}
    values |= {f"wanted_number_{index}": number for index, number in enumerate(plan.sought)}
    values |= {f"wanted_kind_{index}": kind for index, kind in enumerate(plan.kinds)}
    return values | _says_what(plan)


def _says_what(plan: Plan) -> dict[str, str]:
    """The patterns of a plan's search; a number is found however its digits were grouped."""
    compact = "".join(character for character in plan.search if character not in " -/().")
    digits = compact if compact.strip("+*#0123456789") == "" and compact else plan.search
    return {"like_number": _pattern(digits), "like_name": _pattern(plan.search)} if plan.search else {}


def _pattern(text: str) -> str:
    """What LIKE … ESCAPE '/' takes for anything with ``text`` in it."""
    for special in "/%_":
        text = text.replace(special, f"/{special}")
    return f"%{text}%"


def _value(name: str) -> BindParameter[Any]:
    """What is given when the statement is asked, of any type."""
    return bindparam(name)


@lru_cache(maxsize=1)
def _numbers() -> Select[str, int]:
    return select(Number.number, Number.calls).where(_named()).order_by(Number.calls.desc())


@lru_cache(maxsize=KEPT)
def _counting(shape: Shape) -> Select[int]:
    return select(func.count()).select_from(_gathered(shape).subquery())


@lru_cache(maxsize=KEPT)
def _listing(shape: Shape, placed: bool, upwards: bool) -> Places:
    """A window of a shape's places: beside a place (if ``placed``), above it or below."""
    limit, skip = _value("limit"), _value("skip")
    if shape.searched and shape.own is None:
        statement = _walked(shape) if shape.wide else _gathered(shape)
        return _cut(statement, placed, upwards).limit(limit).offset(skip)
    branches = [_cut(branch, placed, upwards).limit(_value("enough")).subquery() for branch in _branches(shape)]
    every = union_all(*[select(branch.c.started, branch.c.seq) for branch in branches]).subquery()
    started, seq = every.c.started, every.c.seq
    order = (started.asc(), seq.asc()) if upwards else (started.desc(), seq.desc())
    return select(started, seq).distinct().order_by(*order).limit(limit).offset(skip)


def _cut(statement: Places, placed: bool, upwards: bool) -> Places:
    """``statement`` between its times and on the window's side of its place, in the order of the answer.

    The time has one lower and one upper bound, never two: SQLite would look for the wrong one in the index.
    """
    started, seq = statement.selected_columns
    if placed:
        at, at_seq = _value("at_started"), _value("at_seq")
        statement = statement.where(or_(started > at, seq > at_seq) if upwards else or_(started < at, seq < at_seq))
    statement = statement.where(started >= _value("low"), started < _value("high"))
    return statement.order_by(*((started.asc(), seq.asc()) if upwards else (started.desc(), seq.desc())))


def _branches(shape: Shape) -> list[Places]:
    """One seek for each number and kind."""
    kinds = [_value(f"wanted_kind_{index}") for index in range(shape.kinds)]
    if shape.own is None:
        one = [select(Call.started, Call.seq)]
        return [one[0].where(Call.kind == kind) for kind in kinds] or one
    within = _searched(shape) if shape.own else true()
    numbers = [_value(f"wanted_number_{index}") for index in range(shape.numbers)]
    one = [select(Party.started, Party.seq).where(Party.number == number, within) for number in numbers]
    return [seek.where(Party.kind == kind) for seek in one for kind in kinds] or one


def _gathered(shape: Shape) -> Places:
    """Every place of the plan, from the side of the numbers: for few rows."""
    numbers: Any = bindparam("numbers", expanding=True) if shape.own else select(Number.number).where(_named())
    within = _searched(shape) if shape.own else true()
    statement = select(Party.started, Party.seq).distinct().where(Party.number.in_(numbers), within)
    return statement.where(_of_kind(Party.kind, shape), Party.started >= _value("low"), Party.started < _value("high"))


def _walked(shape: Shape) -> Places:
    """Every place of the plan, from the side of the calls: for a text that very many calls have."""
    return select(Call.started, Call.seq).where(_of_kind(Call.kind, shape), _says(Call.seq))


def _searched(shape: Shape) -> ColumnElement[bool]:
    """Whether another party of the same call is what the plan searches for; true where it searches for nothing."""
    if not shape.searched:
        return true()
    if shape.wide:
        return _says(Party.seq)
    other = aliased(Party)
    return Party.seq.in_(select(other.seq).where(other.number.in_(select(Number.number).where(_named()))))


def _says(seq: Any) -> ColumnElement[bool]:
    """Whether any party of the call ``seq`` has the text in its number or name."""
    other = aliased(Party)
    join = select(other.seq).join(Number, Number.number == other.number)
    return join.where(other.seq == seq, _named()).exists()


def _of_kind(kind: Any, shape: Shape) -> ColumnElement[bool]:
    """The plan's kinds, in a form for which SQLite does not leave the order of time: the sum bars the index."""
    return (kind + 0).in_(bindparam("kinds", expanding=True)) if shape.kinds else true()


def _named() -> ColumnElement[bool]:
    """Whether a number or its name contains the text."""
    return or_(Number.number.like(_value("like_number"), escape="/"), Number.name.like(_value("like_name"), escape="/"))
