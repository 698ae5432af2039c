"""What the extensions room offers: phones and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext

from pbxweb.room import MenuItem, Piece, Room

if TYPE_CHECKING:
    from flask import Blueprint, Flask
    from sqlalchemy.orm import Session

    from pbxweb.extensions.conf import ExtensionConf
    from pbxweb.runtime import Runtime


def _views() -> Sequence[Blueprint]:
    from pbxweb.extensions.csv_views import transfers
    from pbxweb.extensions.views import phones

    return (transfers, phones)


def _api() -> Sequence[Any]:
    from pbxweb.extensions.api import extensions
    from pbxweb.extensions.bulk_api import bulk

    return (bulk, extensions)


def _read(session: Session) -> tuple[ExtensionConf, ...]:
    from pbxweb.extensions.rendering import read

    return read(session)


def _render(phones: tuple[ExtensionConf, ...]) -> Iterable[Piece]:
    from pbxweb.extensions.conf import pieces

    return pieces(phones)


def _init_app(app: Flask) -> None:
    from pbxweb.api import events
    from pbxweb.extensions import listing, parts
    from pbxweb.extensions.destinations import kind
    from pbxweb.extensions.events import CHANNEL
    from pbxweb.extensions.signin import OneTime
    from pbxweb.users.links import links

    app.extensions["pbxweb.destinations"].register(kind())
    app.extensions.update({"pbxweb.extensions.once": OneTime(), "pbxweb.extensions.files": OneTime()})
    people = links(app)
    people.phones = listing.phones_of
    people.on_delete.append(listing.release)
    parts.init_app(app)
    events.add(app, CHANNEL)


def _start(runtime: Runtime) -> None:
    from pbxweb.extensions.watch import start

    start(runtime)


def _restored() -> None:
    from pbxweb.extensions import features

    features.settle()


room = Room(
    name="extensions",
    views=_views,
    api=_api,
    menu=(MenuItem("extensions.index", lazy_gettext("Phones"), "device-landline-phone", "extensions.list", 20),),
    read=_read,
    render=_render,
    init_app=_init_app,
    restored=_restored,
    start=_start,
)
