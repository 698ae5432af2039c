"""Sign-ins: one row for every browser and every API client that is signed in.

The browser's cookie holds a random secret, the API client a refresh token; the row holds only its SHA-256.
Deleting a row signs that browser or client out at once, access tokens included.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ForeignKey, String, delete, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from pbxweb.settings import Settings
from pbxweb.storage.database import Model, UtcTime, db, new_id, utcnow

PAGE, API = "page", "api"
REFRESH_DAYS = 7
TOUCH_EVERY = timedelta(minutes=1)
TOUCH_PATIENCE_MS = 20


class SignIn(Model):
    """A browser (``kind`` page) or an API client that is signed in as ``user_id``."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(4))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True, info={"secret": True})
    created_at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    client: Mapped[str] = mapped_column(String(200), default="")


@dataclass(frozen=True)
class Opened:
    """A sign-in that was just made. ``secret`` goes to the browser and nowhere else."""

    id: str
    secret: str


def digest(secret: str) -> str:
    """What is stored of a secret of 256 random bits."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def open_page(user_id: str, settings: Settings, address: str, client: str) -> Opened:
    """Add the row of a browser that has just proved who it is. The caller commits."""
    secret = secrets.token_urlsafe(32)
    row = _add(user_id, PAGE, digest(secret), timedelta(hours=settings.session_hours), address=address, client=client)
    return Opened(row.id, secret)


def open_api(user_id: str, secret_hash: str, *, address: str, client: str, row_id: str) -> SignIn:
    """Add the row of an API client whose first refresh token has the hash ``secret_hash``. The caller commits."""
    lifetime = timedelta(days=REFRESH_DAYS)
    return _add(user_id, API, secret_hash, lifetime, address=address, client=client, row_id=row_id)


def _add(
    user_id: str,
    kind: str,
    secret_hash: str,
    lifetime: timedelta,
    *,
    address: str,
    client: str,
    row_id: str | None = None,
) -> SignIn:
    now = utcnow()
    db.session.execute(delete(SignIn).where(SignIn.expires_at < now))
    row = SignIn(
        id=row_id or new_id(),
        user_id=user_id,
        kind=kind,
        secret_hash=secret_hash,
        created_at=now,
        last_seen_at=now,
        expires_at=now + lifetime,
        address=address[:64],
        client="".join(c for c in client if c.isprintable())[:200],
    )
    db.session.add(row)
    return row


def is_alive(last_seen_at: datetime, expires_at: datetime, settings: Settings) -> bool:
    """Is a browser's sign-in within its idle and its absolute time?"""
    now = utcnow()
    return now < expires_at and now < last_seen_at + timedelta(minutes=settings.session_idle_minutes)


def touch(sign_in_id: str, last_seen_at: datetime) -> None:
    """Note that the browser was here, at most once a minute, and never wait for a writer to do so."""
    now = utcnow()
    if now - last_seen_at < TOUCH_EVERY:
        return
    with db.engine.connect().execution_options(pbxweb_write=True) as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA busy_timeout={TOUCH_PATIENCE_MS}")
        try:
            connection.execute(update(SignIn).where(SignIn.id == sign_in_id).values(last_seen_at=now))
            connection.commit()
        except OperationalError:
            connection.rollback()
        finally:
            raw.execute("PRAGMA busy_timeout=10000")


def rotate(sign_in_id: str, old_hash: str, new_hash: str) -> bool:
    """Replace an API client's refresh token. False when ``old_hash`` is not the current one (the caller commits)."""
    now = utcnow()
    result: Any = db.session.execute(
        update(SignIn)
        .where(SignIn.id == sign_in_id, SignIn.secret_hash == old_hash, SignIn.kind == API, SignIn.expires_at > now)
        .values(secret_hash=new_hash, last_seen_at=now, expires_at=now + timedelta(days=REFRESH_DAYS))
    )
    return bool(result.rowcount)


def end(sign_in_id: str) -> None:
    """Sign one browser or API client out. The caller commits."""
    db.session.execute(delete(SignIn).where(SignIn.id == sign_in_id))


def end_all(user_id: str, keep: str | None = None) -> int:
    """Sign ``user_id`` out everywhere, except for the sign-in ``keep``. Out: how many ended. The caller commits."""
    statement = delete(SignIn).where(SignIn.user_id == user_id)
    if keep:
        statement = statement.where(SignIn.id != keep)
    result: Any = db.session.execute(statement)
    return int(result.rowcount)


def of_user(user_id: str) -> list[SignIn]:
    """The living sign-ins of a person, newest activity first."""
    query = select(SignIn).where(SignIn.user_id == user_id, SignIn.expires_at > utcnow())
    return list(db.session.scalars(query.order_by(SignIn.last_seen_at.desc())))


def familiar(user_id: str, address: str) -> bool:
    """Is somebody signed in as ``user_id`` from ``address``?"""
    query = select(SignIn.id).where(SignIn.user_id == user_id, SignIn.address == address).limit(1)
    return db.session.scalar(query) is not None
