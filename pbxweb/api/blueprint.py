"""Blueprints of the API: flask-smorest below ``/api/v1``, every route with its documented refusals."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from pbxweb.api.paging import Problem

PREFIX = "/api/v1"


def blueprint(room: str, description: str, path: str | None = None) -> Any:
    """A blueprint ``api_<room>`` at ``/api/v1/<path>`` (default: the room's name)."""
    url = f"{PREFIX}/{room if path is None else path}".rstrip("/")
    return Blueprint(f"api_{room}", __name__, url_prefix=url, description=description)


def refusals(bp: Any, *statuses: int) -> Any:
    """Decorator: document that a route may answer ``statuses`` as problem documents (429 and 401 come by themselves)."""

    def decorate(view: Any) -> Any:
        for status in sorted({*statuses, 401, 429}):
            view = bp.alt_response(status, schema=Problem, content_type="application/problem+json")(view)
        return view

    return decorate
