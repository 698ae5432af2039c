"""Finding phones: search, filters, order, pages. Two queries, however many phones there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import contains_eager

from pbxweb.extensions import devices
from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db
from pbxweb.users.links import Phone
from pbxweb.users.models import User

NOBODY = "none"
ORDERS: dict[str, tuple[Any, ...]] = {
    "number": (func.length(Extension.number), Extension.number),
    "displayName": (func.lower(Extension.display_name), Extension.number),
    "owner": (func.lower(User.last_name), func.lower(User.first_name), Extension.number),
    "status": (Extension.status, Extension.number),
    "lastSeen": (Extension.last_registered_at, Extension.number),
}


@dataclass(frozen=True)
class Wanted:
    """What to look for. ``owner`` is a person's id or ``none``, ``online`` None for both, ``sort`` may begin with -."""

    search: str = ""
    status: str = ""
    owner: str = ""
    online: bool | None = None
    sort: str = "number"
    page: int = 1
    limit: int = 50


@dataclass(frozen=True)
class Found:
    """A page of phones with their owners, how many there are in all, and which numbers are online now."""

    rows: list[Extension]
    total: int
    online: set[str] = field(default_factory=set)


def find(actor: Actor, wanted: Wanted) -> Found:
    """The phones that ``wanted`` describes. The list is the house's telephone book: everybody may see all of it.

    Raises Forbidden; an unknown order is the order of numbers.
    """
    demand(actor, "extensions.list", actor.user_id)
    online = devices.snapshot().online()
    conditions = _conditions(wanted, online)
    count = select(func.count(Extension.id)).outerjoin(Extension.user).where(*conditions)
    query = (
        select(Extension)
        .outerjoin(Extension.user)
        .options(contains_eager(Extension.user))
        .where(*conditions)
        .order_by(*_order(wanted.sort))
        .limit(wanted.limit)
        .offset((wanted.page - 1) * wanted.limit)
    )
    total = db.session.scalar(count) or 0
    return Found(list(db.session.scalars(query)), total, online)


def everything(wanted: Wanted | None = None) -> Sequence[Extension]:
    """All phones with their owners in the order of their numbers, for the export."""
    query = select(Extension).outerjoin(Extension.user).options(contains_eager(Extension.user))
    if wanted is not None:
        query = query.where(*_conditions(wanted, devices.snapshot().online()))
    return db.session.scalars(query.order_by(*ORDERS["number"])).all()


def phones_of(user_ids: Sequence[str]) -> dict[str, list[Phone]]:
    """The phones of many people, by the person's id."""
    query = select(Extension.user_id, Extension.id, Extension.number).where(Extension.user_id.in_(user_ids))
    found: dict[str, list[Phone]] = {}
    for user_id, row_id, number in db.session.execute(query.order_by(*ORDERS["number"])):
        found.setdefault(str(user_id), []).append(Phone(row_id, number))
    return found


def release(user_id: str) -> None:
    """Make the phones of a person nobody's; runs inside the change that deletes the person."""
    for row in db.session.scalars(select(Extension).where(Extension.user_id == user_id)).all():
        row.user_id = None


def forwarded_here(numbers: Sequence[str]) -> list[str]:
    """The numbers of other phones that forward to one of ``numbers``: what a deletion would switch off."""
    targets = [f"extension:{number}" for number in numbers]
    columns = [getattr(Extension, f"forward_{when}_destination") for when in FORWARDS]
    query = select(Extension.number).where(
        or_(*(column.in_(targets) for column in columns)), Extension.number.not_in(numbers)
    )
    return list(db.session.scalars(query.order_by(*ORDERS["number"])))


def _conditions(wanted: Wanted, online: set[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_has(word) for word in wanted.search.split()[:5]]
    if wanted.status:
        conditions.append(Extension.status == wanted.status)
    if wanted.owner == NOBODY:
        conditions.append(Extension.user_id.is_(None))
    elif wanted.owner:
        conditions.append(Extension.user_id == wanted.owner)
    if wanted.online is not None:
        here = Extension.number.in_(online)
        conditions.append(here if wanted.online else ~here)
    return conditions


def _has(word: str) -> ColumnElement[bool]:
    names = (Extension.display_name, Extension.email, User.first_name, User.last_name)
    return or_(
        Extension.number.startswith(word, autoescape=True),
        *(column.icontains(word, autoescape=True) for column in names),
    )


def _order(sort: str) -> list[Any]:
    columns = ORDERS.get(sort.removeprefix("-"), ORDERS["number"])
    if sort.startswith("-"):
        return [column.desc() for column in columns]
    return list(columns)
