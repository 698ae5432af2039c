"""The audit trail: who changed what, when, from where. Written in the transaction of the change itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from pbxweb.security.roles import Actor
from pbxweb.storage.database import Model, UtcTime, db, utcnow


class AuditEntry(Model):
    """One line of the trail. ``details`` is JSON without any secret."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow)
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor_name: Mapped[str] = mapped_column(String(200))
    via: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(64), default="")
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), default="")
    details: Mapped[str] = mapped_column(Text, default="{}")


def record(actor: Actor, action: str, subject: str = "", details: dict[str, Any] | None = None) -> AuditEntry:
    """Add a line to the trail in the current transaction (the caller commits)."""
    entry = AuditEntry(
        actor_id=actor.user_id,
        actor_name=actor.name[:200],
        via=actor.via,
        address=actor.address,
        action=action,
        subject=subject[:200],
        details=json.dumps(details or {}, ensure_ascii=False, default=str),
    )
    db.session.add(entry)
    return entry


@dataclass(frozen=True)
class Shown:
    """A line of the trail as people read it; ``changes`` maps a row to its fields, each with before and after."""

    id: int
    at: datetime
    actor_id: str | None
    actor_name: str
    via: str
    address: str
    action: str
    subject: str
    changes: dict[str, dict[str, list[Any]]]
    more: dict[str, Any]


def entries(
    *,
    actor_id: str = "",
    action: str = "",
    search: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Shown]:
    """Lines of the trail, newest first.

    In: ``action`` is a verb (``user.create``) or the start of some (``user.``), ``search`` looks into subject and
    actor, ``before_id`` is the last id of the page before. Out: at most ``limit`` lines; fewer mean the end.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if actor_id:
        query = query.where(AuditEntry.actor_id == actor_id)
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if search:
        matches = (column.icontains(search, autoescape=True) for column in (AuditEntry.subject, AuditEntry.actor_name))
        query = query.where(or_(*matches))
    if since:
        query = query.where(AuditEntry.at >= since)
    if until:
        query = query.where(AuditEntry.at < until)
    if before_id is not None:
        query = query.where(AuditEntry.id < before_id)
    return [_shown(row) for row in db.session.scalars(query)]


def _shown(row: AuditEntry) -> Shown:
    more = json.loads(row.details)
    changes = more.pop("changed", {})
    names = (row.id, row.at, row.actor_id, row.actor_name, row.via, row.address, row.action, row.subject)
    return Shown(*names, changes, more)
