"""A real application with a real SQLite file for tests of the phones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from pbxweb.asterisk import instance
from pbxweb.asterisk.layout import choose_tree, layout
from pbxweb.destinations import Destinations
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import Settings
from pbxweb.storage import database
from pbxweb.storage.database import db
from pbxweb.storage.secrets import Vault
from pbxweb.users.models import User
from tests.conftest import make_app


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
    app.extensions["pbxweb.api.events"] = {}
    Babel(app)
    database.init_app(app, settings)
    assert room.init_app
    room.init_app(app)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an Asterisk, prompts included; made once."""
    settings = Settings(home=tmp_path_factory.mktemp("prompts"))
    folders = layout(settings)
    instance.prepare(folders, choose_tree(settings))
    return folders.data


@pytest.fixture
def app(settings: Settings, prompts: Path) -> Iterator[Flask]:
    """The whole application with the prompts that its dialplan names, without a running Asterisk."""
    settings.asterisk.mkdir(parents=True)
    (settings.asterisk / "data").symlink_to(prompts)
    app = make_app(settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def boss() -> Actor:
    """The administrator."""
    return Actor("Admin", Role.ADMIN, "00000000-0000-0000-0000-000000000001")


@pytest.fixture
def anna(house: Flask) -> Actor:
    """An ordinary user, stored in the database."""
    row = User(email="anna@example.com", first_name="Anna", last_name="Schmidt", role=Role.USER.value)
    db.session.add(row)
    db.session.commit()
    return Actor("Anna Schmidt", Role.USER, row.id)
