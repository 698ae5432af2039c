"""pbxweb: a telephone system for people who own a NAS or a single-board computer.

``create_app`` assembles the rooms. It starts no thread and opens no socket; ``runtime.py`` does that.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.room import Room
    from pbxweb.settings import Settings

__version__ = "0.1.0"

# The features of the house, in the order in which their configuration is rendered.
ROOMS = ("users", "extensions", "calls", "system")


def rooms() -> tuple[Room, ...]:
    """What every feature offers to the house (``room`` of each feature's package)."""
    return tuple(import_module(f"pbxweb.{name}.room").room for name in ROOMS)


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application of one instance.

    In: its settings (default: from the environment). Raises SettingError, and RuntimeError for a route
    that names no permission.
    """
    from flask import Flask

    from pbxweb import web
    from pbxweb.api import openapi
    from pbxweb.asterisk.apply import Applier
    from pbxweb.destinations import Destinations
    from pbxweb.security import csrf, guard, limits
    from pbxweb.settings import load
    from pbxweb.storage import database, files
    from pbxweb.storage.secrets import Vault

    settings = settings or load()
    root = Path(__file__).resolve().parent.parent
    files.private_folder(settings.home)
    app = Flask("pbxweb", root_path=str(root), template_folder="templates", static_folder=None)
    features = rooms()
    vault = Vault(settings.secrets)
    app.extensions.update(
        {
            "pbxweb.settings": settings,
            "pbxweb.root": root,
            "pbxweb.rooms": features,
            "pbxweb.vault": vault,
            "pbxweb.destinations": Destinations(),
        }
    )
    app.secret_key = vault.secret("session.key")
    database.init_app(app, settings)
    app.extensions["pbxweb.applier"] = Applier(settings, features)
    limits.init_app(app, settings)
    csrf.init_app(app, settings)
    web.init_app(app, settings)
    api = openapi.init_app(app)
    for room in features:
        _open(app, room, api)
    guard.refuse_unguarded(app)
    return app


def _open(app: Flask, room: Room, api: Any) -> None:
    for view in room.views():
        app.register_blueprint(view)
    for blueprint in room.api():
        api.register_blueprint(blueprint)
    if room.init_app:
        room.init_app(app)
