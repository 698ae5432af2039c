"""The shape of the database: brought to the newest revision at the start, by Alembic's migrations."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

_REVISION = re.compile(r"^(revision|down_revision)\b[^=]*=\s*['\"]([\w]+)['\"]", re.M)


class SchemaTooNew(RuntimeError):
    """The database was written by a newer pbxweb."""


def _folder(app: Flask) -> Path:
    folder: Path = app.extensions["pbxweb.root"] / "migrations"
    return folder


def _revisions(folder: Path) -> dict[str, str | None]:
    """Each migration's revision and the one before it, read from the files: importing Alembic costs a start 0.1 s."""
    found: dict[str, str | None] = {}
    for file in (folder / "versions").glob("*.py"):
        names = dict(_REVISION.findall(file.read_text(encoding="utf-8")))
        found[names["revision"]] = names.get("down_revision")
    return found


def newest(app: Flask) -> str:
    """The revision that this version of pbxweb needs."""
    revisions = _revisions(_folder(app))
    (head,) = set(revisions) - set(revisions.values())
    return head


def current(database: Path) -> str | None:
    """The revision of a database file; None for a new or empty one."""
    if not database.exists():
        return None
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None


def upgrade(app: Flask) -> bool:
    """Bring the database of ``app`` to the newest revision. Out: was there anything to do?

    Raises SchemaTooNew when the file comes from a newer pbxweb (nothing is touched then).
    """
    database: Path = app.extensions["pbxweb.settings"].database
    here, wanted = current(database), newest(app)
    if here == wanted:
        return False
    if here is not None and here not in _revisions(_folder(app)):
        raise SchemaTooNew(f"{database} was written by a newer pbxweb (schema {here}); install that version or newer")
    from flask_migrate import Migrate
    from flask_migrate import upgrade as run

    from pbxweb.storage.database import db

    if "migrate" not in app.extensions:
        Migrate(app, db, directory=str(_folder(app)), render_as_batch=True)
    with app.app_context():
        run(directory=str(_folder(app)))
    return True
