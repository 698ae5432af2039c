"""Who is looking at a page or calling the API: found from the cookie or the access token, once a request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask, current_app, g, request
from sqlalchemy import bindparam, select

from pbxweb.security import sessions, tokens
from pbxweb.security.errors import SignInFailed
from pbxweb.security.identity import current_actor, is_api, set_loaders
from pbxweb.security.roles import Actor, Role
from pbxweb.security.sessions import SignIn
from pbxweb.security.throttle import Throttle
from pbxweb.settings import Settings
from pbxweb.storage.database import db
from pbxweb.users.links import links
from pbxweb.users.models import Status, User, full_name

STATIC = frozenset({"web.static", "web.favicon"})


@dataclass(frozen=True)
class Visitor:
    """The person behind a request. ``secret`` is what the browser's cookie says; empty for the API."""

    user_id: str
    email: str
    name: str
    role: Role
    language: str
    timezone: str
    sign_in_id: str
    secret: str = ""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login puts into the signed cookie: the sign-in's secret, not the person's id."""
        return self.secret

    def actor(self, via: str) -> Actor:
        """This person as the one who does something in this request."""
        return Actor(self.name, self.role, self.user_id, via, request.remote_addr or "")


PERSON = (User.id, User.email, User.first_name, User.last_name, User.role, User.language, User.timezone)


@cache
def _query(kind: str) -> Any:
    found = SignIn.secret_hash == bindparam("secret") if kind == sessions.PAGE else SignIn.id == bindparam("sign_in_id")
    query = (
        select(*PERSON, SignIn.id.label("sign_in"), SignIn.last_seen_at, SignIn.expires_at)
        .join(SignIn, SignIn.user_id == User.id)
        .where(User.status == Status.ACTIVE, User.deleted_at.is_(None), SignIn.kind == kind, found)
    )
    return query if kind == sessions.PAGE else query.where(User.id == bindparam("user_id"))


def _visitor(row: Any, secret: str = "") -> Visitor:
    return Visitor(
        row.id,
        row.email,
        full_name(row.first_name, row.last_name, row.email),
        Role(row.role),
        row.language,
        row.timezone,
        row.sign_in,
        secret,
    )


def by_secret(secret: str) -> Visitor | None:
    """The person whose browser's cookie holds ``secret``; None when that sign-in ended or ran out of time."""
    settings: Settings = current_app.extensions["pbxweb.settings"]
    row = db.session.execute(_query(sessions.PAGE), {"secret": sessions.digest(secret)}).first()
    if row is None or not sessions.is_alive(row.last_seen_at, row.expires_at, settings):
        return None
    if not g.get("listening"):  # a page that is only left open does not count as being here
        sessions.touch(row.sign_in, row.last_seen_at)
    return _visitor(row, secret)


def by_access_token(token: str) -> Visitor | None:
    """The person for whom ``token`` speaks; None when it is not good (any more)."""
    try:
        claims = tokens.read(token, "access")
    except SignInFailed:
        return None
    who = {"sign_in_id": claims.sign_in_id, "user_id": claims.user_id}
    row = db.session.execute(_query(sessions.API), who).first()
    return _visitor(row) if row else None


def visitor() -> Visitor:
    """The person behind this request, in a route that the guard protects."""
    current_actor()
    found: Visitor | None = g.get("visitor")
    if found is None:
        raise RuntimeError("visitor() is used in a route without @requires")
    return found


def _page_actor() -> Actor | None:
    from flask_login import current_user

    found = current_user._get_current_object()
    if not isinstance(found, Visitor):
        return None
    g.visitor = found
    g.language = found.language[:2]
    g.timezone = found.timezone
    return found.actor("page")


def _access_token() -> str:
    """The token of the header, or (``g.bearer``) the one that came over the socket itself."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return str(g.get("bearer") or (token.strip() if scheme.lower() == "bearer" else ""))


def _api_actor() -> Actor | None:
    found = by_access_token(_access_token())
    if found is None:
        return None
    g.visitor = found
    g.timezone = found.timezone
    return found.actor("api")


def _know_the_reader() -> None:
    if request.endpoint not in STATIC and not is_api():
        current_actor()


def init_app(app: Flask) -> None:
    """Tell the house how the people of ``app`` are found."""
    from flask_login import LoginManager

    from pbxweb.users.service import keep_language

    manager = LoginManager()
    manager.session_protection = None
    manager.user_loader(by_secret)
    manager.init_app(app, add_context_processor=False)
    links(app)
    app.extensions["pbxweb.throttle"] = Throttle()
    app.extensions["pbxweb.web.on_language"].append(keep_language)
    set_loaders(app, page=_page_actor, api=_api_actor)
    app.before_request(_know_the_reader)
