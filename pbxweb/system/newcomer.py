"""While nobody can sign in, every page leads to the first run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import redirect, request, url_for

from pbxweb.security.identity import is_api
from pbxweb.system import overview, setup

if TYPE_CHECKING:
    from flask import Flask

OPEN = frozenset({"web", "setup", "live"})


def _lead() -> Any:
    if request.endpoint is None or is_api() or request.blueprint in OPEN or setup.has_people():
        return None
    return redirect(url_for("setup.index"))


def init_app(app: Flask) -> None:
    """Lead newcomers, and tell every page how Asterisk is."""
    app.before_request(_lead)
    app.jinja_env.globals["engine_state"] = lambda: overview.snapshot().engine if overview.runtime() else None
