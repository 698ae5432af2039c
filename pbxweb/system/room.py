"""What the system room offers: the first run, the dashboard, the device's status, its changes and its trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext

from pbxweb.room import MenuItem, Piece, Room

if TYPE_CHECKING:
    from flask import Blueprint, Flask
    from sqlalchemy.orm import Session

    from pbxweb.runtime import Runtime
    from pbxweb.system.conf import BaseConf


def _views() -> Sequence[Blueprint]:
    from pbxweb.system import setup_views, views

    return (views.views, setup_views.views)


def _api() -> Sequence[Any]:
    from pbxweb.system.api import dashboard, device, first_run

    return (device, dashboard, first_run)


def _read(session: Session) -> BaseConf:
    from flask import current_app

    from pbxweb.asterisk.account import AMI_SECRET
    from pbxweb.system.conf import BaseConf
    from pbxweb.system.house import stored

    decisions = stored(session)
    return BaseConf.of(
        current_app.extensions["pbxweb.settings"],
        directories=current_app.extensions["pbxweb.applier"].layout,
        ami_secret=current_app.extensions["pbxweb.vault"].text(AMI_SECRET),
        language=decisions.language,
        tone_zone=decisions.tone_zone,
    )


def _render(base: BaseConf) -> Iterable[Piece]:
    from pbxweb.system.conf import base_pieces

    return base_pieces(base)


def _init_app(app: Flask) -> None:
    from pbxweb.system import newcomer, parts, words
    from pbxweb.web.live import hub

    parts.add_to(hub(app))
    newcomer.init_app(app)
    words.init_app(app)


def _start(runtime: Runtime) -> None:
    from pbxweb.jobs.scheduler import Job
    from pbxweb.system import health, setup
    from pbxweb.web.live import hub

    runtime.announcements.append(lambda: setup.announce(runtime.app))
    runtime.jobs.add(Job("compare-files", health.compare, every=timedelta(minutes=10)))
    hub(runtime.app).start(runtime.bus)


room = Room(
    name="system",
    views=_views,
    api=_api,
    menu=(
        MenuItem("system.dashboard", lazy_gettext("Overview"), "layout-dashboard", "dashboard.read", 10),
        MenuItem("system.index", lazy_gettext("System"), "server", "system.stats", 90),
    ),
    read=_read,
    render=_render,
    init_app=_init_app,
    start=_start,
)
