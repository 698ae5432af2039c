"""The one way to change rows: one transaction, audited, and live in Asterisk before it is committed.

::

    with changing(actor, "extension.update", f"extension {row.number}"):
        row.display_name = name

At the end of the block the rows are flushed, what that did to them is noted, the applier renders, checks, writes,
reloads and verifies (only when a table that configures Asterisk was touched), and then everything is committed
together. Whatever fails rolls everything back, files included, and raises a ``Refused`` whose text is for people.
See docs/decisions/0002-apply-inside-the-transaction.md.

Rows are noted when the session flushes them: change them as objects, not with a bulk ``update()`` statement, which
neither the audit trail nor undo would see.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import current_app
from flask_babel import gettext
from sqlalchemy import event, inspect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from pbxweb.security import audit
from pbxweb.security.errors import Conflict, Unavailable
from pbxweb.security.roles import Actor
from pbxweb.storage.database import Base, begin_write, db
from pbxweb.storage.secrets import Sealed

MASK = "***"
LONGEST_WAIT = 30.0
# SQLite takes at most 32766 values in one statement; far fewer keep its plan small.
AT_ONCE = 500

log = logging.getLogger(__name__)

Key = tuple[str, str]
Row = dict[str, Any]


@dataclass(frozen=True)
class RowImage:
    """What happened to one row: column values as stored, before (None: it was made) and after (None: it went).

    Of a row that was there before and after, only the columns that changed.
    """

    table: str
    key: str
    before: Row | None
    after: Row | None


@dataclass
class Change:
    """The change under way. ``details`` goes into the audit row; ``after_commit`` runs when all is live.

    After the block: ``revision`` is its number (None when Asterisk reads nothing new), ``live`` is False when Asterisk
    is down and takes it over at its next start, ``needs_restart`` is True for what Asterisk only reads then.
    """

    actor: Actor
    action: str
    subject: str
    details: dict[str, Any] = field(default_factory=dict)
    images: list[RowImage] = field(default_factory=list)
    hooks: list[Callable[[], None]] = field(default_factory=list)
    endings: list[Callable[[bool], None]] = field(default_factory=list)
    revision: int | None = None
    undoes: int | None = None
    live: bool = True
    needs_restart: bool = False

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run ``hook`` once the change is committed (an event to publish, a phone's lamp to set)."""
        self.hooks.append(hook)

    def at_end(self, ending: Callable[[bool], None]) -> None:
        """Run ``ending(committed)`` when it is decided: right after the commit, or right before the rollback."""
        self.endings.append(ending)

    def end(self, *, committed: bool) -> None:
        """Run the endings, the last first."""
        while self.endings:
            ending = self.endings.pop()
            try:
                ending(committed)
            except Exception:
                log.exception("the end of the change %s failed", self.action)


class Applies(Protocol):
    """What changes.py needs of the applier (``pbxweb.asterisk.apply.Applier``)."""

    def apply(self, session: Session, change: Change) -> int | None:
        """Make Asterisk run what the session says; the new revision's number, None when nothing differed.

        Raises Refused with everything restored. Runs inside the session's write transaction, and has everything
        restored too when ``change`` ends without a commit.
        """

    def concerns(self, images: list[RowImage]) -> bool:
        """Can these rows change what Asterisk reads?"""


def stored_rows(session: Session, keys: Iterable[Key]) -> dict[Key, Row]:
    """The rows of ``keys`` (table, primary key as text) exactly as the database keeps them; absent ones are left out.

    Sealed values stay sealed. One statement a table and 500 rows.
    """
    by_table: dict[str, list[str]] = {}
    for table, key in dict.fromkeys(keys):
        by_table.setdefault(table, []).append(key)
    cursor = session.connection().connection.cursor()
    rows: dict[Key, Row] = {}
    for table, wanted in by_table.items():
        primary = next(iter(Base.metadata.tables[table].primary_key.columns)).name
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            marks = ", ".join("?" * len(some))
            cursor.execute(f'SELECT * FROM "{table}" WHERE "{primary}" IN ({marks})', tuple(some))  # noqa: S608 - own names
            names = [column[0] for column in cursor.description or ()]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                rows[table, str(row[primary])] = row
    cursor.close()
    return rows


class _Watch:
    """Notes the rows of a session as they were before their first flush."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: dict[Key, Row | None] = {}
        self._made: list[Any] = []

    def __enter__(self) -> _Watch:
        event.listen(self._session, "before_flush", self._flushing)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._session, "before_flush", self._flushing)

    def _flushing(self, session: Session, _context: object, _instances: object) -> None:
        self._settle_made()
        dirty = [row for row in session.dirty if session.is_modified(row)]
        touched = [row for row in [*dirty, *session.deleted] if _tracked(row)]
        fresh = [key for row in touched if (key := _key(row)) not in self._before]
        stored = stored_rows(session, fresh)
        self._before.update({key: stored.get(key) for key in fresh})
        self._made += [row for row in session.new if _tracked(row)]

    def _settle_made(self) -> None:
        """Rows that an earlier flush made have their keys now, and were not there before."""
        for row in self._made:
            self._before.setdefault(_key(row), None)
        self._made.clear()

    def images(self) -> list[RowImage]:
        """Flush what is left, and tell what happened since the watch began."""
        self._session.flush()
        self._settle_made()
        after = stored_rows(self._session, self._before)
        images = []
        for key, old in self._before.items():
            image = _image(key, old, after.get(key))
            if image is not None:
                images.append(image)
        return images


def _tracked(row: Any) -> bool:
    """The trail itself is not part of what a change did (``untracked = True`` at a model)."""
    return not isinstance(row, audit.AuditEntry) and not getattr(type(row), "untracked", False)


def _key(row: Any) -> Key:
    mapper = inspect(type(row))
    return mapper.local_table.name, str(mapper.primary_key_from_instance(row)[0])


def _image(key: Key, old: Row | None, new: Row | None) -> RowImage | None:
    if old is None or new is None:
        return None if old is new else RowImage(*key, old, new)
    changed = [name for name in old if old[name] != new[name]]
    if not changed:
        return None
    return RowImage(*key, {name: old[name] for name in changed}, {name: new[name] for name in changed})


def _differences(images: list[RowImage]) -> dict[str, Any]:
    """Field by field what changed, secrets masked: what the audit trail shows."""
    shown = {}
    for image in images:
        columns = Base.metadata.tables[image.table].columns
        secret = {c.name for c in columns if c.info.get("secret") or isinstance(c.type, Sealed)}
        before, after = image.before or {}, image.after or {}
        shown[f"{image.table}/{image.key}"] = {
            name: [_shown(before.get(name), name in secret), _shown(after.get(name), name in secret)]
            for name in {**before, **after}
            if name not in ("created_at", "updated_at") and before.get(name) != after.get(name)
        }
    return shown


def _shown(value: Any, secret: bool) -> Any:
    return MASK if secret and value is not None else value


_turn = threading.Lock()
_owner = threading.local()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Changes of this process wait for each other here: SQLite would let them poll, and let some starve."""
    if getattr(_owner, "busy", False):
        raise RuntimeError("changing() inside changing(): one change is one transaction")
    if not _turn.acquire(timeout=LONGEST_WAIT):
        raise Unavailable(gettext("Too many changes are under way. Nothing was changed; try again in a moment."))
    _owner.busy = True
    try:
        yield
    finally:
        _owner.busy = False
        _turn.release()


@contextmanager
def changing(actor: Actor, action: str, subject: str = "", *, keep: bool = False) -> Iterator[Change]:
    """Change rows inside this block; see the module's text.

    In: who does it, the verb (``extension.update``) and what it is done to, both for the audit trail. Rows must be
    read *inside* the block (what was loaded before is expired at its start). Blocks are not nested. With ``keep`` its
    rows stay loaded after the commit, as they were written; without, they are read anew when they are looked at.
    Raises what the block raises, Conflict for a broken uniqueness rule, Unavailable when the database cannot be
    written, and the applier's Refused; all after a rollback.
    """
    change = Change(actor, action, subject)
    with _one_at_a_time():
        try:
            begin_write()
            with _Watch(db.session()) as watch, db.session.no_autoflush:
                yield change
                change.images += watch.images()
            _finish(change)
            _commit(db.session(), keep)
        except BaseException as error:
            change.end(committed=False)
            db.session.rollback()
            _explain(error)
            raise
        change.end(committed=True)
    for hook in change.hooks:
        hook()


def _commit(session: Session, keep: bool) -> None:
    expires, session.expire_on_commit = session.expire_on_commit, not keep
    try:
        session.commit()
    finally:
        session.expire_on_commit = expires


def _finish(change: Change) -> None:
    """Audit the change and make it live, both still inside its transaction."""
    if not (change.images or change.details):
        return
    details = {**change.details, "changed": _differences(change.images)}
    audit.record(change.actor, change.action, change.subject, details)
    applier: Applies | None = current_app.extensions.get("pbxweb.applier")
    if applier is not None and applier.concerns(change.images):
        change.revision = applier.apply(db.session(), change)


def _explain(error: BaseException) -> None:
    """Raise what a person can read in place of what the database says; return when it is neither."""
    if isinstance(error, IntegrityError):
        raise Conflict(gettext("Another entry already has this value.")) from error
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        said = str(getattr(error, "orig", error))
        if "locked" in said or "busy" in said:
            raise Unavailable(
                gettext("Another change takes unusually long. Nothing was changed; try again in a moment.")
            ) from error
        if "full" in said:
            raise Unavailable(
                gettext("The disk is full. Nothing was changed; free some space and try again.")
            ) from error
        if "readonly" in said or "unable to open" in said or "disk I/O" in said:
            raise Unavailable(
                gettext("The database cannot be written (%(reason)s). Nothing was changed.", reason=said)
            ) from error
