"""The one database session. SQLite in WAL mode; writers queue up, readers never wait.

Rows carry UUID keys and UTC times. A column whose ``info`` says ``{"secret": True}`` never appears in an audit
row, a log or a list (see ``pbxweb.changes``).
"""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, MetaData, String, TypeDecorator, event
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.settings import Settings

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as SQLite's ISO text."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def utcnow() -> datetime:
    """Now, as an aware UTC time."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh UUID in its usual text form."""
    return str(uuid.uuid4())


class Identified:
    """Mixin: UUID key and the two times that every row of a feature has."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    created_at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow, onupdate=utcnow)


def _on_connect(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # BEGIN is ours, see _on_begin
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        "cache_size=-4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: upgrading a read later fails under load.
    write = connection.get_execution_options().get("pbxweb_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def begin_write() -> None:
    """Start the session's transaction as a writer. What was read before is forgotten and read anew."""
    db.session.rollback()
    db.session.connection(execution_options={"pbxweb_write": True})


def init_app(app: Flask, settings: Settings) -> None:
    """Bind the session of ``app`` to the instance's database file."""
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{settings.database}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "pool_size": 8,
        "max_overflow": settings.threads,
        "connect_args": {"check_same_thread": False},
    }
    db.init_app(app)
    with app.app_context():
        engine: Engine = db.engine
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
