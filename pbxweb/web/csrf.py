"""The form token in templates. A live part is written for many people at once and leaves it to the page's script."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_wtf.csrf import generate_csrf


def csrf_token() -> str:
    """The token that this visit's forms must carry; empty while a live part is being written."""
    return "" if g.get("live") else str(generate_csrf())


def init_app(app: Any) -> None:
    """Make ``csrf_token()`` known to every template of ``app``."""
    app.jinja_env.globals["csrf_token"] = csrf_token
    # Flask-WTF offers its own to every template; the later word counts.
    app.context_processor(lambda: {"csrf_token": csrf_token})
