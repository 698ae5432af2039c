"""Alembic's entry: migrate the database of the application at hand, in one transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import TypeDecorator

from pbxweb.storage.database import db


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Write our column types as the plain ones they are stored as: a migration outlives the classes of today."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


with current_app.app_context(), db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=True,
        compare_type=False,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
