"""The one way to change rows: one transaction, audited, and live in Asterisk before it is committed.

::

    with changing(actor, "extension.update", f"extension {row.number}"):
        row.display_name = name

At the end of the block the rows are flushed, their before and after images are taken, the applier renders, checks,
writes, reloads and verifies (only when a table that configures Asterisk was touched), and then everything is
committed together. Whatever fails rolls everything back, files included, and raises a ``Refused`` whose text is
for people. See docs/decisions/0002-apply-inside-the-transaction.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pbxweb.security import audit
from pbxweb.security.roles import Actor
from pbxweb.storage.database import Model, begin_write, db

MASK = "***"


@dataclass(frozen=True)
class RowImage:
    """What happened to one row: column values as stored, before (None: it was made) and after (None: it went)."""

    table: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass
class Change:
    """The change under way. ``details`` goes into the audit row; ``after_commit`` runs when all is live."""

    actor: Actor
    action: str
    subject: str
    details: dict[str, Any] = field(default_factory=dict)
    images: list[RowImage] = field(default_factory=list)
    hooks: list[Callable[[], None]] = field(default_factory=list)
    revision: int | None = None

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run ``hook`` once the change is committed (an event to publish, a phone's lamp to set)."""
        self.hooks.append(hook)


class Applies(Protocol):
    """What changes.py needs of the applier (``pbxweb.asterisk.apply.Applier``)."""

    def apply(self, session: Session, change: Change) -> int | None:
        """Make Asterisk run what the session says; the new revision's number, None when nothing differed.

        Raises Refused with everything restored. Runs inside the session's write transaction.
        """

    def concerns(self, images: list[RowImage]) -> bool:
        """Can these rows change what Asterisk reads?"""


def _columns(row: Model) -> dict[str, str]:
    return {attribute.key: attribute.columns[0].name for attribute in inspect(type(row)).column_attrs}


def _stored(row: Model, name: str, value: Any) -> Any:
    """``value`` of the column ``name`` in the form in which the database keeps it (a sealed one stays sealed)."""
    column = row.__table__.columns[name]
    bind = column.type.dialect_impl(db.engine.dialect).bind_processor(db.engine.dialect)
    return bind(value) if bind and value is not None else value


def _modified(row: Model) -> list[str]:
    state = inspect(row)
    return [key for key in _columns(row) if state.attrs[key].history.has_changes()]


def _before(row: Model, keys: list[str]) -> dict[str, Any]:
    columns, state = _columns(row), inspect(row)
    image = {}
    for key in keys:
        deleted = state.attrs[key].history.deleted
        image[columns[key]] = _stored(row, columns[key], deleted[0] if deleted else getattr(row, key))
    return image


def _after(row: Model, keys: list[str]) -> dict[str, Any]:
    columns = _columns(row)
    return {columns[key]: _stored(row, columns[key], getattr(row, key)) for key in keys}


def _images(session: Session) -> list[RowImage]:
    """Flush the session and tell what that did: the changed columns of a changed row, all of a new or deleted one."""
    dirty = [(row, keys) for row in session.dirty if (keys := _modified(row))]
    changed = [(row, keys, _before(row, keys)) for row, keys in dirty]
    gone = [(row, _before(row, list(_columns(row)))) for row in session.deleted]
    made = list(session.new)
    session.flush()
    images = [RowImage(row.__tablename__, str(row.id), before, _after(row, keys)) for row, keys, before in changed]
    images += [RowImage(row.__tablename__, str(row.id), before, None) for row, before in gone]
    images += [RowImage(row.__tablename__, str(row.id), None, _after(row, list(_columns(row)))) for row in made]
    return [image for image in images if image.table != audit.AuditEntry.__tablename__]


def _differences(images: list[RowImage]) -> dict[str, Any]:
    """Field by field what changed, secrets masked: what the audit trail shows."""
    shown = {}
    for image in images:
        secret = {c.name for c in db.metadata.tables[image.table].columns if c.info.get("secret")}
        before, after = image.before or {}, image.after or {}
        names = [n for n in {**before, **after} if n not in ("created_at", "updated_at") and before.get(n) != after.get(n)]
        shown[f"{image.table}/{image.key}"] = {
            name: [MASK if name in secret else before.get(name), MASK if name in secret else after.get(name)] for name in names
        }
    return shown


@contextmanager
def changing(actor: Actor, action: str, subject: str = "") -> Iterator[Change]:
    """Change rows inside this block; see the module's text.

    In: who does it, the verb (``extension.update``) and what it is done to, both for the audit trail. Rows must be
    read *inside* the block (what was loaded before is expired at its start).
    Raises what the block raises, Conflict for a broken uniqueness rule, and the applier's Refused; all after a rollback.
    """
    change = Change(actor, action, subject)
    begin_write()
    try:
        with db.session.no_autoflush:
            yield change
            change.images += _images(db.session())
        if change.images or change.details:
            entry = audit.record(actor, action, change.subject, {**change.details, "changed": _differences(change.images)})
            applier: Applies | None = current_app.extensions.get("pbxweb.applier")
            if applier is not None and applier.concerns(change.images):
                change.revision = applier.apply(db.session(), change)
            entry.subject = change.subject[:200]
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        from flask_babel import gettext

        from pbxweb.security.errors import Conflict

        raise Conflict(gettext("Another entry already has this value.")) from error
    except BaseException:
        db.session.rollback()
        raise
    for hook in change.hooks:
        hook()
