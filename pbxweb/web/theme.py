"""Light, dark, or as the device has it: kept in a cookie, so the first byte of a page already knows."""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request
from flask_babel import lazy_gettext

COOKIE = "theme"
THEMES = {
    "auto": (lazy_gettext("Like the device"), "brightness-half"),
    "light": (lazy_gettext("Light"), "sun"),
    "dark": (lazy_gettext("Dark"), "moon"),
}


def current_theme() -> str:
    """``light``, ``dark`` or ``auto``."""
    choice = request.cookies.get(COOKIE, "auto") if has_request_context() else "auto"
    return choice if choice in THEMES else "auto"


def init_app(app: Any) -> None:
    """Make the theme known to every template of ``app``."""
    app.jinja_env.globals.update(current_theme=current_theme, themes=THEMES)
