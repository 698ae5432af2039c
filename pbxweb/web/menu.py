"""The main menu: what the rooms offer, as far as the person's role reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for
from werkzeug.routing import BuildError

from pbxweb.room import MenuItem
from pbxweb.security.identity import current_actor
from pbxweb.security.roles import Actor
from pbxweb.web.live import hub


@dataclass(frozen=True)
class Entry:
    """One line of the menu as the template shows it."""

    url: str
    label: Any
    icon: str
    active: bool


def _actor() -> Actor | None:
    return current_actor() if "pbxweb.identity" in current_app.extensions else None


def _active(item: MenuItem) -> bool:
    here = request.endpoint or ""
    blueprint, _, name = item.endpoint.rpartition(".")
    return here == item.endpoint or (name == "index" and here.startswith(f"{blueprint}."))


def menu() -> list[Entry]:
    """The menu of the person who asks; empty when nobody is signed in."""
    actor = _actor()
    if actor is None:
        return []
    items = [item for room in current_app.extensions["pbxweb.rooms"] for item in room.menu]
    shown = sorted((i for i in items if actor.scope(i.permission)), key=lambda i: i.order)
    exact = any(item.endpoint == request.endpoint for item in shown)
    return [
        Entry(
            url_for(i.endpoint),
            i.label,
            i.icon,
            i.endpoint == request.endpoint if exact else _active(i),
        )
        for i in shown
    ]


def link(endpoint: str, **values: Any) -> str | None:
    """The URL of ``endpoint``, or None where no room offers it."""
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return None


def may(permission: str, owner_id: str | None = None) -> bool:
    """May the person who looks at the page do this (to a thing of ``owner_id``)? For templates."""
    actor = _actor()
    if actor is None:
        return False
    return actor.may(permission, owner_id) if owner_id else actor.scope(permission) is not None


def live_running() -> bool:
    """Does somebody tell the pages what happens?"""
    return hub().running


def init_app(app: Any) -> None:
    """Make the menu and ``may()`` known to every template of ``app``."""
    app.jinja_env.globals.update(main_menu=menu, link=link, may=may, signed_in=_actor, live_running=live_running)
