"""The application for a command: assembled, its database at the newest revision, nothing started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pbxweb.cli.fault import Fault

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.security.roles import Actor
    from pbxweb.settings import Settings


@contextmanager
def house(settings: Settings) -> Iterator[tuple[Flask, Actor]]:
    """The application's context, and the command line as the one who acts in it.

    What a service refuses leaves the block as a Fault with the service's own words.
    """
    from pbxweb import create_app
    from pbxweb.security.errors import Invalid, Refused
    from pbxweb.security.roles import device
    from pbxweb.storage.schema import SchemaTooNew, upgrade

    try:
        app = create_app(settings)
        upgrade(app)
    except (SchemaTooNew, OSError) as error:
        raise Fault(str(error)) from error
    with app.app_context():
        try:
            yield app, device("app.py", via="cli")
        except Invalid as refusal:
            raise Fault(
                "; ".join(f"{name}: {text}" for name, text in refusal.fields.items()) or str(refusal)
            ) from refusal
        except Refused as refusal:
            raise Fault(str(refusal)) from refusal
