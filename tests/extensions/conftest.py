"""A real application with a real SQLite file for tests of the phones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from pbxweb.destinations import Destinations
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import Settings
from pbxweb.storage import database
from pbxweb.storage.database import db
from pbxweb.storage.secrets import Vault
from pbxweb.users.models import User


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Flask]:
    """The parts of the house that the service needs, without Asterisk; inside an application context."""
    from flask_babel import Babel

    from pbxweb.extensions.room import room

    settings = Settings(home=tmp_path)
    app = Flask("pbxweb")
    app.extensions["pbxweb.settings"] = settings
    app.extensions["pbxweb.vault"] = Vault(settings.secrets)
    app.extensions["pbxweb.destinations"] = Destinations()
    Babel(app)
    database.init_app(app, settings)
    assert room.init_app
    room.init_app(app)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def admin() -> Actor:
    """The administrator."""
    return Actor("Admin", Role.ADMIN, "00000000-0000-0000-0000-000000000001")


@pytest.fixture
def anna(house: Flask) -> Actor:
    """An ordinary user, stored in the database."""
    row = User(email="anna@example.com", first_name="Anna", last_name="Schmidt", role=Role.USER.value)
    db.session.add(row)
    db.session.commit()
    return Actor("Anna Schmidt", Role.USER, row.id)
