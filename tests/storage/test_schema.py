"""The migrations lead to exactly the tables that the models say, and never run on a newer database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from pbxweb import create_app
from pbxweb.settings import Settings
from pbxweb.storage import schema
from pbxweb.storage.database import db


@pytest.fixture
def fresh(tmp_path: Path) -> Flask:
    return create_app(Settings(home=tmp_path / "var"))


def test_the_migrations_make_what_the_models_say(fresh: Flask) -> None:
    assert schema.upgrade(fresh)
    with fresh.app_context(), db.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), db.metadata)
    assert differences == []


def test_a_second_start_has_nothing_to_do(fresh: Flask) -> None:
    schema.upgrade(fresh)
    assert not schema.upgrade(fresh)


def test_a_newer_database_is_refused_untouched(fresh: Flask) -> None:
    schema.upgrade(fresh)
    database = fresh.extensions["pbxweb.settings"].database
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff'")
        connection.commit()
    with pytest.raises(schema.SchemaTooNew, match="newer"):
        schema.upgrade(fresh)
