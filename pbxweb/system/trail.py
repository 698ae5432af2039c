"""Reading what happened: the audit trail and the revisions, newest first, page by page without counting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flask_babel import gettext
from sqlalchemy import func, or_, select
from sqlalchemy.orm import defer

from pbxweb.asterisk import revisions
from pbxweb.security.audit import AuditEntry
from pbxweb.security.errors import NotFound
from pbxweb.storage.database import db

PAGE = 50
# A change of 500 phones has 10,000 fields. A list reads the details of an entry only as far as LONGEST characters and
# shows SHOWN fields; the entry's own page shows FIELDS at once. A difference is shown as far as LINES lines a file.
LONGEST = 8000
SHOWN = 12
FIELDS = 200
LINES = 300


@dataclass(frozen=True)
class Wanted:
    """What to look for: a text in who or what, the beginning of an action (``extension.``), where to go on."""

    search: str = ""
    action: str = ""
    before: int | None = None
    limit: int = PAGE


@dataclass(frozen=True)
class Field:
    """A field that an entry changed: its row, name, and values; another fact has neither row nor ``before``."""

    row: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Entry:
    """A line of the trail; ``details`` is None where they are too long for a list."""

    line: AuditEntry
    details: dict[str, Any] | None

    @property
    def fields(self) -> list[Field]:
        """The first fields of it."""
        return list(islice(_fields(self.details or {}), SHOWN))

    @property
    def more(self) -> bool:
        """Are there fields beyond those?"""
        return self.details is None or next(islice(_fields(self.details), SHOWN, None), None) is not None


@dataclass(frozen=True)
class Found:
    """A page of the trail and whether there is more."""

    entries: list[Entry]
    more: bool


@dataclass(frozen=True)
class Whole:
    """One line of the trail with ``fields`` from ``start`` on, of ``total``."""

    line: AuditEntry
    fields: list[Field]
    start: int
    total: int

    @property
    def rest(self) -> int | None:
        """Where the next fields begin; None at the end."""
        end = self.start + len(self.fields)
        return end if end < self.total else None


@dataclass(frozen=True)
class Line:
    """A line of a difference: ``kind`` is add, del, head or same."""

    kind: str
    text: str


def entries(wanted: Wanted) -> Found:
    """The entries that ``wanted`` describes."""
    beginning = func.substr(AuditEntry.details, 1, LONGEST + 1)
    query = select(AuditEntry, beginning).options(defer(AuditEntry.details)).order_by(AuditEntry.id.desc())
    if wanted.before is not None:
        query = query.where(AuditEntry.id < wanted.before)
    if wanted.search:
        columns = (AuditEntry.actor_name, AuditEntry.subject, AuditEntry.address)
        query = query.where(or_(*(column.icontains(wanted.search, autoescape=True) for column in columns)))
    if wanted.action:
        query = query.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    rows = list(db.session.execute(query.limit(wanted.limit + 1)))
    found = [Entry(line, json.loads(text) if len(text) <= LONGEST else None) for line, text in rows[: wanted.limit]]
    return Found(found, len(rows) > wanted.limit)


def entry(number: int) -> Entry:
    """The entry of that id with all its details. Raises NotFound."""
    line = db.session.get(AuditEntry, number) if number < 2**63 else None
    if line is None:
        raise NotFound(gettext("There is no such entry in the audit trail."))
    return Entry(line, json.loads(line.details))


def whole(number: int, start: int) -> Whole:
    """The entry of that id with its fields from ``start`` on. Raises NotFound."""
    found = entry(number)
    fields = list(_fields(found.details or {}))
    return Whole(found.line, fields[start : start + FIELDS], start, len(fields))


def actions() -> list[str]:
    """The kinds of things that were ever done to (``extension.``, ``user.``), for the filter."""
    kinds = {action.partition(".")[0] for action in db.session.scalars(select(AuditEntry.action).distinct())}
    return sorted(f"{kind}." for kind in kinds)


def _fields(details: Mapping[str, Any]) -> Iterator[Field]:
    for row, fields in details.get("changed", {}).items():
        for name, (before, after) in fields.items():
            yield Field(row, name, before, after)
    for name, value in details.items():
        if name != "changed":
            yield Field("", name, None, value)


def revision(number: int) -> revisions.Revision:
    """The revision of that number. Raises NotFound."""
    return revisions.get(db.session(), number)


def coloured(diffs: Mapping[str, str]) -> dict[str, list[Line]]:
    """Unified diffs, file by file, as lines with their kind; at most ``LINES`` of each and one more if there are."""
    return {
        file: [Line(_kind(line), line) for line in text.split("\n", LINES + 1)[: LINES + 1] if line]
        for file, text in diffs.items()
    }


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "head"
    return {"+": "add", "-": "del"}.get(line[:1], "same")
