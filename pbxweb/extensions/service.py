"""The verbs of phones: make, change, delete. Pages, API, wizard and CSV import all come through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import joinedload, undefer

from pbxweb.changes import Change, changing
from pbxweb.extensions import destinations, features, numbers
from pbxweb.extensions.assign import assign, fresh, know, own_only
from pbxweb.extensions.models import Extension
from pbxweb.extensions.rules import clean
from pbxweb.security.errors import Conflict, Invalid, NotFound
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor, Scope
from pbxweb.storage.database import db
from pbxweb.storage.secrets import generate_password

MOST = 500


@dataclass(frozen=True)
class NewPhone:
    """A phone that was just made, with the password that is shown this once."""

    extension: Extension
    password: str


def get(actor: Actor, extension_id: str) -> Extension:
    """The phone of that id, with its owner. Raises NotFound, Forbidden."""
    row = load([extension_id])
    if not row:
        raise NotFound(_("There is no such phone (any more)."))
    demand(actor, "extensions.read", row[0].user_id)
    return row[0]


def by_number(number: str) -> Extension | None:
    """The phone with that number, with its owner."""
    return db.session.scalar(select(Extension).where(Extension.number == number).options(joinedload(Extension.user)))


def create(actor: Actor, given: Mapping[str, Any]) -> NewPhone:
    """Make one phone. ``number`` and ``display_name`` are needed; the password is generated when absent.

    Out: the phone and its password. Raises Forbidden, Invalid, Conflict (the number is in use).
    """
    return create_many(actor, [given], "extension.create")[0]


def create_many(
    actor: Actor, given: Sequence[Mapping[str, Any]], action: str = "extension.bulk_create"
) -> list[NewPhone]:
    """Make several phones in one change: all of them or none. At most 500. Raises as ``create``.

    With more than one, the fields of a refusal are named with their place: ``2.displayName``.
    """
    demand(actor, "extensions.create")
    _bounded(given)
    with changing(actor, action, _subject([str(one.get("number", "")) for one in given])) as change:
        made = add_all(change, given)
    rows = {row.id: row for row in load([row_id for row_id, _password in made])}
    return [NewPhone(rows[row_id], password) for row_id, password in made]


def add_all(
    change: Change, given: Sequence[Mapping[str, Any]], names: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Add phones inside a ``changing`` block. ``names`` says how a refusal calls each (default: its place).

    Out: (id, password) in the same order. Raises Invalid, Conflict.
    """
    wanted = [str(one.get("number", "")).strip(" ") for one in given]
    house = know(given, extra=wanted)
    taken = {number for number in wanted if number in house.numbers and house.numbers[number] != "new"}
    made: list[tuple[Extension, str]] = []
    seen: set[str] = set()
    for place, one in enumerate(given):
        prefix = _prefix(given, place, names)
        if wanted[place] in taken or wanted[place] in seen:
            raise Conflict(_("The number %(number)s is in use.", number=wanted[place]), prefix + "number")
        seen.add(wanted[place])
        password = str(one.get("sip_password") or "") or generate_password()
        missing = {name: "" for name in ("number", "display_name") if name not in one}
        cleaned = clean({**missing, **one, "sip_password": password}, prefix)
        row = fresh()
        assign(row, cleaned, house, prefix)
        row.features_pending = True
        db.session.add(row)
        made.append((row, password))
    change.after_commit(features.settle)
    return [(row.id, password) for row, password in made]


def update(actor: Actor, extension_id: str, given: Mapping[str, Any]) -> Extension:
    """Change fields of one phone. Its owner may change only ``OWN_FIELDS``. Out: the phone as it is now.

    Raises NotFound, Forbidden, Invalid, Conflict.
    """
    return update_many(actor, [({"id": extension_id}, given)], "extension.update")[0]


def update_many(
    actor: Actor,
    items: Sequence[tuple[Mapping[str, str], Mapping[str, Any]]],
    action: str = "extension.bulk_update",
) -> list[Extension]:
    """Change several phones in one change: all or none, at most 500.

    In: pairs of ``{"id": …}`` or ``{"number": …}`` and the changed fields. Out: the phones in the same order.
    Raises NotFound, Forbidden, Invalid, Conflict; fields are named with their place when there are several.
    """
    _bounded(items)
    with changing(actor, action, keep=True) as change:
        rows = _find_all([key for key, _given in items], secrets=any(_secret(given) for _key, given in items))
        before = [(row.id, row.user_id) for row in rows]
        for row in rows:
            demand(actor, "extensions.update", row.user_id)
        change.subject = _subject([row.number for row in rows])
        change_all(change, actor, rows, [given for _key, given in items])
    pairs = zip(rows, before, strict=True)
    load([row_id for row, (row_id, owner) in pairs if inspect(row).expired or row.user_id != owner])
    return rows


def change_all(
    change: Change,
    actor: Actor,
    rows: Sequence[Extension],
    given: Sequence[Mapping[str, Any]],
    *,
    names: Sequence[str] | None = None,
    added: Sequence[str] = (),
) -> None:
    """Change ``rows`` inside a ``changing`` block, each as its ``given`` says. Raises Forbidden, Invalid, Conflict.

    ``added`` are the numbers of phones that the same change makes.
    """
    house = know(given, extra=[*added, *(str(one["number"]) for one in given if "number" in one)])
    own = actor.scope("extensions.update") is not Scope.ALL
    for place, (row, one) in enumerate(zip(rows, given, strict=True)):
        prefix = _prefix(given, place, names)
        cleaned = clean(one, prefix)
        if own:
            own_only(row, cleaned)
        assign(row, cleaned, house, prefix)
    if house.forget or any(row.features_pending for row in rows):
        change.after_commit(lambda: features.settle(house.forget))


def delete_many(actor: Actor, ids: Sequence[str], action: str = "extension.bulk_delete") -> int:
    """Delete phones in one change, all or none, at most 500; forwardings to them are switched off.

    Out: how many. Raises NotFound, Forbidden.
    """
    demand(actor, "extensions.delete")
    _bounded(ids)
    with changing(actor, action) as change:
        rows = _find_all([{"id": row_id} for row_id in ids], secrets=True)
        gone = {row.number for row in rows}
        change.subject = _subject([row.number for row in rows])
        for other, when in destinations.forwarding_to(gone):
            if other.number not in gone:
                setattr(other, f"forward_{when}_enabled", False)
                setattr(other, f"forward_{when}_destination", None)
                other.features_pending = True
        for row in set(rows):
            db.session.delete(row)
        change.after_commit(lambda: features.settle(sorted(gone)))
    return len(gone)


def delete(actor: Actor, extension_id: str) -> None:
    """Delete one phone. Raises NotFound, Forbidden."""
    delete_many(actor, [extension_id], "extension.delete")


def bulk_create(
    actor: Actor, first: str, count: int, pattern: str = "", common: Mapping[str, Any] | None = None
) -> list[NewPhone]:
    """Make ``count`` phones from the number ``first`` upwards in one change; numbers in use are left out.

    ``{number}`` in ``pattern`` is the phone's number; ``common`` are further fields of all of them.
    Raises Forbidden, Invalid, Conflict.
    """
    demand(actor, "extensions.create")
    pattern = pattern.strip() or _("Phone {number}")
    if not 1 <= count <= MOST:
        raise Invalid({"count": _("Write a whole number from %(first)d to %(last)d.", first=1, last=MOST)})
    if count > 1 and "{number}" not in pattern:
        pattern += " {number}"
    free = numbers.free_from(clean({"number": first}, "first")["number"] if first else "", count, used_numbers())
    if len(free) < count:
        text = _("From %(first)s on only %(num)d numbers are free.", first=first, num=len(free))
        raise Invalid({"firstNumber": text})
    common = dict(common or {})
    return create_many(actor, [{**common, "number": n, "display_name": pattern.replace("{number}", n)} for n in free])


def create_first_phones(actor: Actor, count: int, digits: int) -> list[NewPhone]:
    """The wizard's phones: ``count`` of them with numbers of ``digits`` digits. Raises as ``bulk_create``."""
    return bulk_create(actor, numbers.suggest(used_numbers(), digits), count)


def used_numbers() -> set[str]:
    """The numbers of all phones."""
    return set(db.session.scalars(select(Extension.number)))


def suggest_number(digits: int | None = None) -> str:
    """A free number for the next phone, of ``digits`` digits (default: as most phones have)."""
    return numbers.suggest(used_numbers(), digits)


def load(ids: Sequence[str]) -> list[Extension]:
    """The phones of these ids with their owners, as they are stored now, in one query and in no order."""
    if not ids:
        return []
    query = select(Extension).where(Extension.id.in_(ids)).options(joinedload(Extension.user))
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


@cache
def _by_keys(secrets: bool) -> Any:
    ids: Any = bindparam("ids", expanding=True)
    with_number: Any = bindparam("numbers", expanding=True)
    query = select(Extension).where(Extension.id.in_(ids) | Extension.number.in_(with_number))
    query = query.options(joinedload(Extension.user))
    return query.options(undefer(Extension.sip_password)) if secrets else query


def _find_all(keys: Sequence[Mapping[str, str]], *, secrets: bool) -> list[Extension]:
    ids = [key["id"] for key in keys if "id" in key]
    given = {"ids": ids, "numbers": [key["number"] for key in keys if "id" not in key]}
    rows: list[Extension] = list(db.session.scalars(_by_keys(secrets), given))
    found = {("id", row.id): row for row in rows} | {("number", row.number): row for row in rows}
    wanted = [found.get(("id", key["id"]) if "id" in key else ("number", key["number"])) for key in keys]
    if None in wanted:
        if len(keys) == 1:
            raise NotFound(_("There is no such phone (any more)."))
        missing = keys[wanted.index(None)]
        raise NotFound(
            _("There is no phone %(key)s (any more).", key=str(missing.get("id") or missing.get("number"))[:40])
        )
    return [row for row in wanted if row is not None]


def _secret(given: Mapping[str, Any]) -> bool:
    return "number" in given or "sip_password" in given


def _bounded(items: Sequence[Any]) -> None:
    if not 1 <= len(items) <= MOST:
        raise Invalid({"items": _("Send 1 to %(num)d phones at once.", num=MOST)})


def _prefix(given: Sequence[Any], place: int, names: Sequence[str] | None) -> str:
    if names is not None:
        return f"{names[place]}."
    return f"{place}." if len(given) > 1 else ""


def _subject(found: Sequence[str]) -> str:
    shown = ", ".join(found[:10]) + (f" … ({len(found)})" if len(found) > 10 else "")
    return f"extension {shown}"
