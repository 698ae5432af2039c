"""Who is asking: the signed-in person of a page or the bearer of an API token, as an Actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app, g, redirect, request, url_for

from pbxweb.security.errors import SignInFailed
from pbxweb.security.roles import Actor

Loader = Callable[[], Actor | None]


def is_api() -> bool:
    """Is this request for the API (answers are JSON, never a redirect)?"""
    return request.path.startswith("/api/")


def set_loaders(app: Any, *, page: Loader, api: Loader) -> None:
    """Tell the house how the actor of a page and of an API request is found (the users room does)."""
    app.extensions["pbxweb.identity"] = {"page": page, "api": api}


def current_actor() -> Actor | None:
    """The actor of this request, found once a request; None when nobody is signed in."""
    if "actor" not in g:
        loaders = current_app.extensions["pbxweb.identity"]
        g.actor = loaders["api" if is_api() else "page"]()
    actor: Actor | None = g.actor
    return actor


def actor() -> Actor:
    """The actor of this request, where the guard has made sure that there is one."""
    found = current_actor()
    if found is None:
        raise RuntimeError("actor() is used in a route without @requires")
    return found


def unauthenticated() -> Any:
    """The answer to a page request that nobody signed: the way to the login page. Raises SignInFailed for the API."""
    if is_api():
        from flask_babel import gettext

        raise SignInFailed(gettext("Sign in first: send a valid access token."))
    target = url_for("users.login", next=request.full_path.rstrip("?") if request.method == "GET" else None)
    if request.headers.get("HX-Request"):
        return "", 204, {"HX-Redirect": target}
    return redirect(target)
