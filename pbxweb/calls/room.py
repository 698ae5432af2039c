"""What the calls room offers: live calls, the history, statistics, call control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext

from pbxweb.room import MenuItem, Room

if TYPE_CHECKING:
    from flask import Blueprint

    from pbxweb.runtime import Runtime


def _views() -> Sequence[Blueprint]:
    from pbxweb.calls.views import calls

    return (calls,)


def _api() -> Sequence[Any]:
    from pbxweb.calls.api import calls, statistics

    return (calls, statistics)


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
        MenuItem("calls.statistics", lazy_gettext("Statistics"), "chart-bar", "calls.statistics", 40),
    ),
    start=_start,
)
