"""The audit trail: who changed what, when, from where. Written in the transaction of the change itself."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
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
