"""People: the table and the rules that need nothing else."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from pbxweb.security.roles import Role
from pbxweb.storage.database import Identified, Model, UtcTime

EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f]{1,64}@(?=.{1,190}\Z)[^\W_](?:[\w-]*\w)?(?:\.[^\W_](?:[\w-]*\w)?)*")
LANGUAGE = re.compile(r"(de|en)(-[A-Z]{2})?")


class Status(StrEnum):
    """Where a person's account stands."""

    INVITED = "invited"
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class User(Identified, Model):
    """A person. A deleted one stays for the history and gives the e-mail address free."""

    __tablename__ = "users"
    __table_args__ = (
        Index("uq_users_email", "email", unique=True, sqlite_where=text("deleted_at IS NULL")),
        Index("ix_users_invitation_hash", "invitation_hash"),
    )

    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str | None] = mapped_column(String(72), info={"secret": True})
    first_name: Mapped[str] = mapped_column(String(100), default="")
    last_name: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[str] = mapped_column(String(10), default=Role.USER)
    status: Mapped[str] = mapped_column(String(10), default=Status.ACTIVE)
    language: Mapped[str] = mapped_column(String(5), default="")
    timezone: Mapped[str] = mapped_column(String(64), default="")
    last_login_at: Mapped[datetime | None] = mapped_column(UtcTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    invitation_hash: Mapped[str | None] = mapped_column(String(64), info={"secret": True})
    invitation_expires_at: Mapped[datetime | None] = mapped_column(UtcTime)

    @property
    def name(self) -> str:
        """How people call this person: the full name, else the e-mail address."""
        return full_name(self.first_name, self.last_name, self.email)


def full_name(first: str, last: str, email: str) -> str:
    """First and last name, or the e-mail address where there is neither."""
    return f"{first} {last}".strip() or email


def normal_email(text: str) -> str:
    """``text`` as it is stored and compared: without outer blanks, in small letters."""
    return text.strip().lower()


def is_email(text: str) -> bool:
    """Does ``text`` look like an e-mail address?"""
    return EMAIL.fullmatch(text) is not None and ".." not in text
