"""The whole application with the folders that an Asterisk would have; no Asterisk runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from pbxweb.asterisk import instance
from pbxweb.asterisk.layout import choose_tree, layout
from pbxweb.settings import CHECKOUT, Settings
from pbxweb.storage.database import db
from tests.conftest import make_app


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The instance with the sounds of the fetched Asterisk, so that the check finds them."""
    from dataclasses import replace

    settings = replace(settings, engine_dir=CHECKOUT / "var" / "engine")
    instance.prepare(layout(settings), choose_tree(settings))
    return settings


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application of that instance."""
    app = make_app(settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
