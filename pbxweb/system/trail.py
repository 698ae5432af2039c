"""Reading what happened: the audit trail and the revisions, newest first, page by page without counting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from pbxweb.asterisk import revisions
from pbxweb.security.audit import AuditEntry
from pbxweb.storage.database import db

PAGE = 50


@dataclass(frozen=True)
class Wanted:
    """What to look for: a text in who or what, the beginning of an action (``extension.``), where to go on."""

    search: str = ""
    action: str = ""
    before: int | None = None
    limit: int = PAGE


@dataclass(frozen=True)
class Found:
    """A page of the trail and whether there is more."""

    entries: list[AuditEntry]
    more: bool


@dataclass(frozen=True)
class Line:
    """A line of a difference: ``kind`` is add, del, head or same."""

    kind: str
    text: str


def entries(wanted: Wanted) -> Found:
    """The entries that ``wanted`` describes."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(wanted.limit + 1)
    if wanted.before is not None:
        query = query.where(AuditEntry.id < wanted.before)
    if wanted.search:
        columns = (AuditEntry.actor_name, AuditEntry.subject, AuditEntry.address)
        query = query.where(or_(*(column.icontains(wanted.search, autoescape=True) for column in columns)))
    if wanted.action:
        query = query.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    rows = list(db.session.scalars(query))
    return Found(rows[: wanted.limit], len(rows) > wanted.limit)


def actions() -> list[str]:
    """The kinds of things that were ever done to (``extension.``, ``user.``), for the filter."""
    kinds = {action.partition(".")[0] for action in db.session.scalars(select(AuditEntry.action).distinct())}
    return sorted(f"{kind}." for kind in kinds)


def details(entry: AuditEntry) -> list[tuple[str, str, Any, Any]]:
    """What an entry changed: (row, field, before, after); other facts as ("", name, None, value)."""
    known: dict[str, Any] = json.loads(entry.details)
    changed = known.pop("changed", {})
    lines = [(row, name, pair[0], pair[1]) for row, fields in changed.items() for name, pair in fields.items()]
    return [*lines, *(("", name, None, value) for name, value in known.items())]


def revision(number: int) -> revisions.Revision:
    """The revision of that number. Raises NotFound."""
    return revisions.get(db.session(), number)


def coloured(diffs: Mapping[str, str]) -> dict[str, list[Line]]:
    """Unified diffs, file by file, as lines with their kind."""
    return {file: [Line(_kind(line), line) for line in text.splitlines()] for file, text in diffs.items()}


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "head"
    return {"+": "add", "-": "del"}.get(line[:1], "same")
