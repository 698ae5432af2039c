"""Every change of what Asterisk runs, numbered: who, when, what changed in which file, and how to put it back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask_babel import gettext
from sqlalchemy import Column, Index, String, Table, Text, delete, func, select, true
from sqlalchemy.orm import Mapped, Session, defer, deferred, mapped_column

from pbxweb.changes import Change, RowImage, stored_rows
from pbxweb.security.errors import Conflict, NotFound, Refused
from pbxweb.storage.database import Base, Model, UtcTime, utcnow
from pbxweb.storage.secrets import Sealed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

KEPT = 2000
# A column whose info says "set_when_restored" is a flag that an undo raises: its row is to be told to Asterisk anew.
# Columns that say when or by whom a row was seen, not what it is: they never stand in the way of an undo.
BOOKKEEPING = frozenset({"created_at", "updated_at"})


class Revision(Model):
    """One change that went live. ``live`` is False when Asterisk was down: it took effect at its next start."""

    __tablename__ = "revisions"
    __table_args__ = (Index("ix_revisions_at", "at"), {"sqlite_autoincrement": True})
    untracked = True

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime, default=utcnow)
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor_name: Mapped[str] = mapped_column(String(200))
    via: Mapped[str] = mapped_column(String(10))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200), default="")
    live: Mapped[bool] = mapped_column(default=True)
    needs_restart: Mapped[bool] = mapped_column(default=False)
    undoes: Mapped[int | None] = mapped_column(default=None)
    changed_files: Mapped[str] = mapped_column(Text, default="{}")
    rows: Mapped[str] = deferred(mapped_column(Sealed("revision.rows"), info={"secret": True}))

    @property
    def diffs(self) -> dict[str, str]:
        """File by file the unified diff, secrets masked."""
        diffs: dict[str, str] = json.loads(self.changed_files)
        return diffs


def record(session: Session, change: Change, diffs: dict[str, str], *, live: bool, needs_restart: bool) -> Revision:
    """Add the revision of ``change`` in the session's transaction; its number is known when this returns."""
    revision = Revision(
        actor_id=change.actor.user_id,
        actor_name=change.actor.name[:200],
        via=change.actor.via,
        action=change.action[:60],
        subject=change.subject[:200],
        live=live,
        needs_restart=needs_restart,
        undoes=change.undoes,
        changed_files=json.dumps(diffs, ensure_ascii=False),
        rows=pack(change.images),
    )
    session.add(revision)
    session.flush()
    session.execute(delete(Revision).where(Revision.number <= revision.number - KEPT))
    return revision


def history(session: Session, limit: int = 50, before: int | None = None) -> Sequence[Revision]:
    """The newest revisions first, at most ``limit``; ``before`` is the number to go on from.

    Their differences, which can be long, are only read when asked for.
    """
    query = select(Revision).options(defer(Revision.changed_files)).order_by(Revision.number.desc()).limit(limit)
    if before is not None:
        query = query.where(Revision.number < before)
    return session.scalars(query).all()


def touched_files(session: Session, revisions: Iterable[Revision]) -> dict[int, list[str]]:
    """The names of the files that each revision changed, by its number; one query."""
    file = func.json_each(Revision.changed_files).table_valued("key")
    numbers = [revision.number for revision in revisions]
    names: dict[int, list[str]] = {number: [] for number in numbers}
    query = select(Revision.number, file.c.key).join(file, true()).where(Revision.number.in_(numbers))
    for number, name in session.execute(query):
        names[number].append(name)
    return names


def get(session: Session, number: int) -> Revision:
    """The revision ``number``. Raises NotFound."""
    revision = session.get(Revision, number) if number < 2**63 else None
    if revision is None:
        raise NotFound(gettext("There is no revision %(number)s.", number=number))
    return revision


def pack(images: Iterable[RowImage]) -> str:
    """Row images as JSON text; it holds what the rows hold, so it is stored sealed."""
    rows = [[image.table, image.key, _out(image.before), _out(image.after)] for image in images]
    return json.dumps(rows, ensure_ascii=False)


def unpack(text: str) -> list[RowImage]:
    """The row images that ``pack`` was given."""
    return [RowImage(table, key, _in(before), _in(after)) for table, key, before, after in json.loads(text)]


def _out(row: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {n: {"base64": b64encode(v).decode()} if isinstance(v, bytes) else v for n, v in row.items()}


def _in(row: dict[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {n: b64decode(v["base64"]) if isinstance(v, dict) else v for n, v in row.items()}


def put_back(session: Session, revision: Revision) -> list[RowImage]:
    """Give the rows of ``revision`` the values they had before it; what that did, as row images.

    Raises Refused when it changed no row, and Conflict when a row was changed since in the same places.
    """
    images = unpack(revision.rows)
    if not images:
        raise Refused(
            gettext("Revision %(number)s changed no entry, so there is nothing to undo.", number=revision.number)
        )
    order = {table.name: index for index, table in enumerate(Base.metadata.sorted_tables)}
    images = [image for image in images if image.table in order]
    now = stored_rows(session, [(image.table, image.key) for image in images])
    for image in images:
        _refuse_changed(image, now.get((image.table, image.key)), revision.number)
    connection = session.connection()
    for image in sorted((i for i in images if i.after is None), key=lambda i: order[i.table]):
        _insert(connection, image)
    for image in images:
        if image.before is not None and image.after is not None:
            _update(connection, image)
    for image in sorted((i for i in images if i.before is None), key=lambda i: -order[i.table]):
        table = Base.metadata.tables[image.table]
        connection.exec_driver_sql(f'DELETE FROM "{table.name}" WHERE "{_key(table).name}" = ?', (image.key,))  # noqa: S608
    session.expire_all()
    return [_reverse(image, now.get((image.table, image.key))) for image in images]


def _reverse(image: RowImage, now: dict[str, Any] | None) -> RowImage:
    if image.before is not None and now is not None:
        now = {name: now[name] for name in image.before if name in now}
    return RowImage(image.table, image.key, now, image.before)


def _key(table: Table) -> Column[Any]:
    return next(iter(table.primary_key.columns))


def _observed(table: Table) -> set[str]:
    return {c.name for c in table.columns if c.name in BOOKKEEPING or c.info.get("observed")}


def _refuse_changed(image: RowImage, now: dict[str, Any] | None, number: int) -> None:
    skip = _observed(Base.metadata.tables[image.table])
    if image.after is None:
        clash = now is not None
    else:
        clash = now is None or any(now.get(n) != v for n, v in image.after.items() if n not in skip and n in now)
    if clash:
        raise Conflict(
            gettext(
                "Revision %(number)s cannot be undone: what it changed was changed again since. "
                "Undo the later revision first, or change it by hand.",
                number=number,
            )
        )


def _marks(table: Table) -> dict[str, int]:
    return {c.name: 1 for c in table.columns if c.info.get("set_when_restored")}


def _insert(connection: Connection, image: RowImage) -> None:
    table = Base.metadata.tables[image.table]
    row = {name: value for name, value in (image.before or {}).items() if name in table.columns} | _marks(table)
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', tuple(row.values()))  # noqa: S608


def _update(connection: Connection, image: RowImage) -> None:
    table = Base.metadata.tables[image.table]
    skip = _observed(table)
    row = {n: v for n, v in (image.before or {}).items() if n in table.columns and n not in skip}
    if not row:
        return
    row |= _marks(table)
    sets = ", ".join(f'"{name}" = ?' for name in row)
    connection.exec_driver_sql(
        f'UPDATE "{table.name}" SET {sets} WHERE "{_key(table).name}" = ?',  # noqa: S608
        (*row.values(), image.key),
    )
