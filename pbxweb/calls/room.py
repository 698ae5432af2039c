"""What the calls room offers: live calls, the history, statistics, call control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext

from pbxweb.room import MenuItem, Room

if TYPE_CHECKING:
    from flask import Blueprint, Flask

    from pbxweb.runtime import Runtime


def _views() -> Sequence[Blueprint]:
    from pbxweb.calls.views import calls

    return (calls,)


def _api() -> Sequence[Any]:
    from pbxweb.calls.api import calls, stats

    return (calls, stats)


def _init_app(app: Flask) -> None:
    from pbxweb.api import events
    from pbxweb.calls.events import CHANNEL
    from pbxweb.calls.shown import init_app

    init_app(app)
    events.add(app, CHANNEL)


def _start(runtime: Runtime) -> None:
    from pbxweb.calls.reader import start

    start(runtime)


room = Room(
    name="calls",
    views=_views,
    api=_api,
    menu=(
        MenuItem("calls.live", lazy_gettext("Live calls"), "phone-call", "calls.live", 20),
        MenuItem("calls.history", lazy_gettext("Call history"), "history", "calls.history", 30),
        MenuItem("calls.statistics", lazy_gettext("Statistics"), "activity", "calls.statistics", 40),
    ),
    init_app=_init_app,
    start=_start,
)
