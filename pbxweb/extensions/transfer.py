"""Export and import of phones. An import is planned first: what it would make and change, and which lines are wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer

from pbxweb.changes import changing
from pbxweb.extensions import csvfile, destinations, listing, service
from pbxweb.extensions.csvfile import COLUMNS, Line
from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.extensions.rules import camel, clean
from pbxweb.extensions.service import NewPhone, add_all, change_all
from pbxweb.security.errors import Invalid
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db
from pbxweb.users.models import User, normal_email

_COLUMN = {column.field: column for column in COLUMNS}


@dataclass(frozen=True)
class Difference:
    """One field that an import changes, as it stands in the file."""

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class PlannedLine:
    """What one line of a file would do: ``create``, ``change``, ``same``, or ``error`` with its column and reason."""

    line: int
    number: str
    name: str
    action: str
    differences: tuple[Difference, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a file would do. ``data`` is the file itself."""

    data: bytes
    lines: tuple[PlannedLine, ...] = ()
    creates: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    changes: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Can it be imported?"""
        return not self.count("error")

    def count(self, action: str) -> int:
        """How many lines would do ``action``."""
        return sum(line.action == action for line in self.lines)


@dataclass
class _House:
    rows: dict[str, Extension]
    users: dict[str, str]
    known: set[str]


def csv_export(actor: Actor, delimiter: str = ",") -> bytes:
    """All phones as a CSV file, without passwords. Raises Forbidden."""
    demand(actor, "extensions.create")
    return csvfile.write(listing.everything(), delimiter)


def csv_plan(actor: Actor, data: bytes) -> Plan:
    """What importing the file would do; nothing is changed.

    Raises Forbidden, and Invalid for ``file`` when it cannot be read at all; what is wrong in a line is in the plan.
    """
    demand(actor, "extensions.create")
    return _plan(data)


def csv_import(actor: Actor, plan: Plan) -> list[NewPhone]:
    """Import the file of ``plan``: all of it or nothing. It is planned anew inside the change.

    Out: the phones that were made, with their passwords. Raises Forbidden, Invalid, Conflict.
    """
    demand(actor, "extensions.create")
    with changing(actor, "extension.import") as change:
        fresh = _plan(plan.data)
        if not fresh.good:
            wrong = next(line for line in fresh.lines if line.errors)
            text = _(
                "Line %(line)d, %(column)s: %(text)s",
                line=wrong.line,
                column=wrong.errors[0][0],
                text=wrong.errors[0][1],
            )
            raise Invalid({"file": text})
        created, changed = len(fresh.creates), len(fresh.changes)
        change.subject = f"{created} new, {changed} changed"
        change.details.update(created=created, changed=changed)
        # New phones first: a forwarding of a changed one may lead to them.
        made = add_all(change, fresh.creates, _places(fresh, "create")) if created else []
        if changed:
            numbers = [number for number, _given in fresh.changes]
            query = select(Extension).where(Extension.number.in_(numbers)).options(undefer(Extension.sip_password))
            rows = {row.number: row for row in db.session.scalars(query)}
            added = [str(one["number"]) for one in fresh.creates]
            given = [one for _number, one in fresh.changes]
            change_all(
                change, actor, [rows[number] for number in numbers], given, names=_places(fresh, "change"), added=added
            )
    passwords = dict(made)
    return [NewPhone(row, passwords[row.id]) for row in service.load(list(passwords))]


def _places(plan: Plan, action: str) -> list[str]:
    return [str(line.line) for line in plan.lines if line.action == action]


def _plan(data: bytes) -> Plan:
    lines = csvfile.read(data)
    house = _know(lines)
    seen: set[str] = set()
    planned: list[PlannedLine] = []
    creates: list[Mapping[str, Any]] = []
    changes: list[tuple[str, Mapping[str, Any]]] = []
    for line in lines:
        number = str(line.given["number"])
        row = house.rows.get(number)
        cleaned, wrong = _judge(line, row, house)
        if number in seen:
            wrong["number"] = _("This number is in the file twice.")
        seen.add(number)
        name = str(cleaned.get("display_name") or (row.display_name if row else ""))
        if wrong:
            planned.append(PlannedLine(line.line, number, name, "error", errors=tuple(wrong.items())))
            continue
        if row is None:
            creates.append(cleaned)
            planned.append(PlannedLine(line.line, number, name, "create"))
            continue
        differences = _differences(row, cleaned, line)
        if differences:
            changes.append((number, {k: v for k, v in cleaned.items() if k != "number"}))
        planned.append(PlannedLine(line.line, number, name, "change" if differences else "same", differences))
    return Plan(data, tuple(planned), tuple(creates), tuple(changes))


def _know(lines: Sequence[Line]) -> _House:
    emails = {normal_email(str(line.given["user_id"])) for line in lines if line.given.get("user_id")}
    rows = {row.number: row for row in db.session.scalars(select(Extension).options(joinedload(Extension.user)))}
    users: dict[str, str] = {}
    if emails:
        query = select(User.email, User.id).where(User.deleted_at.is_(None), User.email.in_(emails))
        users = {email: user_id for email, user_id in db.session.execute(query)}  # noqa: C416
    return _House(rows, users, {*rows, *(str(line.given["number"]) for line in lines)})


def _judge(line: Line, row: Extension | None, house: _House) -> tuple[dict[str, Any], dict[str, str]]:
    """The line's fields as the service takes them, and what is wrong by column."""
    given = dict(line.given)
    wrong: dict[str, str] = {}
    if row is None and not given.get("display_name"):
        given["display_name"] = ""
    owner = given.get("user_id")
    if owner:
        given["user_id"] = house.users.get(normal_email(str(owner)))
        if given["user_id"] is None:
            wrong["owner"] = _("There is no person with the e-mail address %(email)s.", email=str(owner)[:80])
    try:
        cleaned = clean(given)
    except Invalid as refusal:
        return given, {**refusal.fields, **wrong}
    for when in FORWARDS:
        wrong.update(_forward(when, cleaned, row, house.known))
    return cleaned, wrong


def _forward(when: str, cleaned: dict[str, Any], row: Extension | None, known: Collection[str]) -> dict[str, str]:
    name = f"forward_{when}_destination"
    try:
        if cleaned.get(name):
            cleaned[name] = destinations.canonical(cleaned[name], cleaned["number"], known)
    except ValueError as error:
        return {camel(name): str(error)}
    present = row.forward(when) if row else None
    enabled = cleaned.get(f"forward_{when}_enabled", present.enabled if present else False)
    if enabled and not cleaned.get(name, present.destination if present else None):
        return {camel(name): _("Say which number the calls go to.")}
    return {}


def _differences(row: Extension, cleaned: Mapping[str, Any], line: Line) -> tuple[Difference, ...]:
    found = []
    for name, value in cleaned.items():
        if name == "sip_password":
            found.append(Difference("sipPassword", "…", "…"))
        elif getattr(row, name) != value:
            column = _COLUMN[name]
            found.append(Difference(column.name, column.of(row), _shown(line.given[name])))
    return tuple(found)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value)
