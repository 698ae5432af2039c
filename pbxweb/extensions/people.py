"""The people to whom a phone can belong, for a form's choice."""

from __future__ import annotations

from sqlalchemy import select

from pbxweb.storage.database import db
from pbxweb.users.models import User, full_name


def people(also: User | None = None) -> list[tuple[str, str]]:
    """(id, name) of everybody who is not deleted, by name; ``also`` is in it in any case."""
    columns = (User.id, User.first_name, User.last_name, User.email)
    rows = db.session.execute(select(*columns).where(User.deleted_at.is_(None)))
    found = {user_id: full_name(first, last, email) for user_id, first, last, email in rows}
    if also is not None:
        found.setdefault(also.id, also.name)
    return sorted(found.items(), key=lambda one: one[1].casefold())
