"""Reading the history: filters, pages, one call. Who asks decides what there is to see.

Newest calls come first; a cursor is the place between two calls. How it is found quickly: ``seeks.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext
from sqlalchemy import select

from pbxweb.calls import seeks
from pbxweb.calls.fold import DIRECTIONS, DISPOSITIONS
from pbxweb.calls.models import Call, Party, call_id, kinds_of, micro
from pbxweb.calls.seeks import NEWEST, OLDEST, Place, Plan, Window
from pbxweb.extensions.models import Extension
from pbxweb.security.errors import Invalid, NotFound
from pbxweb.security.guard import own_only
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db


@dataclass(frozen=True)
class Filter:
    """What to show. Empty or None leaves a thing open; ``end`` is exclusive; ``search`` is in a number or a name."""

    start: datetime | None = None
    end: datetime | None = None
    extension: str = ""
    search: str = ""
    directions: tuple[str, ...] = ()
    dispositions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A page: its calls, newest first; how many there are; and the cursors to go on, None at the ends.

    ``exact`` is False where counting would take long: then ``total`` is only what is sure.
    """

    calls: list[Call]
    total: int
    exact: bool = True
    older: Place | None = None
    newer: Place | None = None


def cursor(text: str, name: str = "cursor") -> Place | None:
    """The place that a cursor of an earlier answer names; None for the empty text. Raises Invalid."""
    if not text:
        return None
    started, _, seq = text.partition("-")
    if not (started.isascii() and started.isdigit() and seq.isascii() and seq.isdigit()) or len(text) > 40:
        raise Invalid({name: gettext("This is no place in the list. Take the value of an earlier answer.")})
    return Place(min(int(started), NEWEST), min(int(seq), NEWEST))


def own_numbers(actor: Actor, permission: str) -> tuple[str, ...] | None:
    """The phones to which ``actor`` is confined; None means all. Raises Forbidden."""
    owner = own_only(actor, permission)
    if owner is None:
        return None
    return tuple(db.session.scalars(select(Extension.number).where(Extension.user_id == owner).order_by("number")))


def calls(
    actor: Actor,
    wanted: Filter,
    *,
    limit: int = 50,
    page: int = 1,
    older_than: Place | None = None,
    newer_than: Place | None = None,
    counted: bool = True,
) -> Listing:
    """A page of the calls that ``actor`` may see.

    In: at most one of ``page`` (from 1), ``older_than`` and ``newer_than``; ``counted`` False leaves ``total`` out.
    Raises Forbidden, Invalid (an unknown word in the filter).
    """
    plan = plan_of(actor, wanted)
    if plan.empty:
        return Listing([], 0)
    total, exact = seeks.total(plan) if counted else (0, False)
    upwards = newer_than is not None
    window = Window(newer_than if upwards else older_than, limit + 1, 0, upwards)
    before = (page - 1) * limit
    if before:
        if exact and before >= total:
            return Listing([], total)
        window = seeks.jump(plan, before, limit + 1)
    places = seeks.places(plan, window)
    more = len(places) > limit
    places = places[:limit][::-1] if upwards else places[:limit]
    if not places:
        return Listing([], total, exact)
    rows = {row.seq: row for row in db.session.scalars(select(Call).where(Call.seq.in_([p.seq for p in places])))}
    return Listing(
        calls=[rows[place.seq] for place in places],
        total=total if exact else max(total, before + len(places) + more),
        exact=exact,
        older=places[-1] if upwards or more else None,
        newer=places[0] if (more if upwards else before or older_than) else None,
    )


def one(actor: Actor, key: str) -> Call:
    """The ended call with this id (or Linkedid). Raises NotFound, also for a call that ``actor`` may not see."""
    numbers = own_numbers(actor, "calls.history")
    call = db.session.scalar(select(Call).where(Call.id == key[:64])) or db.session.scalar(
        select(Call).where(Call.id == call_id(key[:64]))
    )
    if call is not None and numbers is not None:
        seen = select(Party.seq).where(Party.seq == call.seq, Party.number.in_(numbers)).limit(1)
        call = call if db.session.scalar(seen) is not None else None
    if call is None:
        raise NotFound(gettext("There is no such call."))
    return call


def plan_of(actor: Actor, wanted: Filter) -> Plan:
    """``wanted`` within what ``actor`` may see. Raises Forbidden, Invalid."""
    for name, given, known in (
        ("direction", wanted.directions, DIRECTIONS),
        ("disposition", wanted.dispositions, DISPOSITIONS),
    ):
        if unknown := set(given) - set(known):
            raise Invalid(
                {name: gettext("“%(word)s” is not one of: %(words)s.", word=min(unknown), words=", ".join(known))}
            )
    numbers = own_numbers(actor, "calls.history")
    if wanted.extension:
        numbers = (wanted.extension,) if numbers is None or wanted.extension in numbers else ()
    return seeks.find(
        Plan(
            numbers=numbers,
            kinds=tuple(kinds_of(wanted.directions, wanted.dispositions)),
            low=micro(wanted.start) if wanted.start else OLDEST,
            high=micro(wanted.end) if wanted.end else NEWEST,
            search=wanted.search.strip(),
        )
    )
