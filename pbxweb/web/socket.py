"""``/ws``: the one WebSocket of a page. Only this device's own pages get in, and only while the visit lasts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask, g, request
from flask_sock import Sock

from pbxweb.live import sockets
from pbxweb.live.sockets import LOOK_EVERY, SIGNED_OUT, TRY_LATER, end, steady
from pbxweb.security.errors import Forbidden
from pbxweb.security.guard import public
from pbxweb.security.identity import current_actor
from pbxweb.storage.database import db
from pbxweb.web.languages import language, timezone
from pbxweb.web.live import Client, Hub, hub

if TYPE_CHECKING:
    from simple_websocket import Server

    from pbxweb.security.roles import Actor


def same_origin(origin: str | None, host: str) -> bool:
    """Does the page that opens the socket come from ``host`` itself? A request without an Origin does not."""
    return bool(origin) and urlsplit(origin or "").netloc.lower() == host.lower()


def _visitor() -> Actor | None:
    """Who is there now: looked up afresh, because the visit may have ended since."""
    for name in ("actor", "visitor", "_login_user"):
        g.pop(name, None)
    g.listening = True
    try:
        return current_actor()
    finally:
        db.session.remove()


def _serve(ws: Server, found: Hub, actor: Actor) -> None:
    client = Client(actor, language(), timezone(), ws.send, lambda: end(ws, TRY_LATER))
    if not found.running or not found.join(client):
        end(ws, TRY_LATER)
        return
    try:
        while True:
            text = ws.receive(timeout=LOOK_EVERY)
            if text is not None:
                _take(found, client, text)
                continue
            now = _visitor()
            if now is None or now.user_id != actor.user_id or now.role != actor.role:
                end(ws, SIGNED_OUT)
                return
    finally:
        found.leave(client)


def _take(found: Hub, client: Client, text: str | bytes) -> None:
    try:
        parts = json.loads(text).get("parts", [])
    except (ValueError, AttributeError):
        return
    if isinstance(parts, list):
        found.show(client, parts)


def blueprint() -> Blueprint:
    """The blueprint ``live`` with the socket."""
    views = Blueprint("live", __name__)
    sock = Sock()

    def socket(ws: Server) -> None:
        steady(ws, sockets.SEND_SECONDS)
        actor = _visitor()
        if actor is None:
            end(ws, SIGNED_OUT)
            return
        _serve(ws, hub(), actor)

    sock.route("/ws", bp=views, endpoint="socket")(public(socket))

    @views.before_request
    def own_pages_only() -> None:
        if not same_origin(request.headers.get("Origin"), request.host):
            from flask_babel import gettext

            raise Forbidden(gettext("Only this device's own pages may listen here."))

    return views


def init_app(app: Flask, max_clients: int) -> None:
    """Install the hub and the socket; ``max_clients`` pages and API clients may listen at once."""
    sockets.init_app(app, max_clients)
    app.extensions["pbxweb.web.live"] = Hub(app, sockets.seats(app))
    app.register_blueprint(blueprint())
