"""``/api/v1/events``: what happens, as JSON over one WebSocket for each API client.

A room adds its channel in ``init_app``: ``events.add(app, Channel("calls", "calls.live", ("calls",), Listener))``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flask import Blueprint, Flask, current_app, g, request
from flask_babel import gettext
from flask_sock import Sock

from pbxweb.live import sockets
from pbxweb.live.bus import RESYNC, Message
from pbxweb.live.sockets import BROKEN, LOOK_EVERY, SIGNED_OUT, TOO_MUCH, TRY_LATER, DaemonThread, end, seats, steady
from pbxweb.security.errors import SignInFailed, Unavailable
from pbxweb.security.guard import public
from pbxweb.security.identity import current_actor
from pbxweb.security.roles import PERMISSIONS, Actor
from pbxweb.storage.database import db

if TYPE_CHECKING:
    from simple_websocket import Server

    from pbxweb.live.bus import Subscription

log = logging.getLogger(__name__)

EXTENSION = "pbxweb.api.events"
PATH = "/api/v1/events"
SIGN_IN_SECONDS = 5.0
MAX_UNREAD = 500
MESSAGES_A_MINUTE = 120
HEARD = "api.events.heard"  # the topic under which a client's own messages come to its thread
Event = dict[str, Any]


class Listener(Protocol):
    """One client's ear for one channel. Both verbs run in an application context."""

    def begin(self, actor: Actor) -> Iterable[Event]:
        """What is going on already, as events, at the time of the subscription."""

    def tell(self, actor: Actor, messages: Sequence[Message]) -> Iterable[Event]:
        """What ``messages`` of the channel's topics are to ``actor``, in order."""


@dataclass(frozen=True)
class Channel:
    """Something to subscribe to: its name, who may, which topics of the bus it is made of, and what listens."""

    name: str
    permission: str
    topics: tuple[str, ...]
    listener: Callable[[], Listener]


def add(app: Flask, channel: Channel) -> None:
    """Make a channel known. Raises ValueError when its name is taken, KeyError for an unknown permission."""
    PERMISSIONS[channel.permission]
    known = _channels(app)
    if channel.name in known:
        raise ValueError(f"channel {channel.name!r} is added twice")
    known[channel.name] = channel


def _channels(app: Flask | None = None) -> dict[str, Channel]:
    found: dict[str, Channel] = (app or current_app).extensions[EXTENSION]
    return found


class _Client:
    """One open socket. Everything is sent by the one thread that runs ``serve``; what comes in is put in its queue."""

    def __init__(self, ws: Server, actor: Actor, subscription: Subscription) -> None:
        self._ws = ws
        self._actor = actor
        self._subscription = subscription
        self._channels = _channels()
        self._listeners: dict[str, Listener] = {}
        self._minute, self._heard = 0.0, 0

    def serve(self) -> None:
        """Until either side has had enough. Raises ConnectionClosed or OSError when the line is gone."""
        DaemonThread(target=self._read, name="api-events").start()
        self._send({"type": "READY", "data": {"channels": sorted(self._allowed())}})
        look = time.monotonic() + LOOK_EVERY
        while self._ws.connected:
            messages = self._subscription.drain(timeout=max(0.0, look - time.monotonic()))
            if self._subscription.closed:
                end(self._ws, TRY_LATER, "pbxweb is restarting")
                return
            if time.monotonic() >= look:
                if not self._still_signed_in():
                    end(self._ws, SIGNED_OUT, "the access token is no longer good")
                    return
                look = time.monotonic() + LOOK_EVERY
            if any(message.topic == RESYNC for message in messages):
                self._send({"type": "RESYNC", "data": {}})
                end(self._ws, TRY_LATER, "too slow")
                return
            if not self._handle(messages):
                end(self._ws, TOO_MUCH, "too many messages")
                return

    def _read(self) -> None:
        from simple_websocket import ConnectionClosed

        try:
            while True:
                self._subscription.put(Message(HEARD, self._ws.receive()))
        except (ConnectionClosed, OSError):
            self._subscription.put(Message(HEARD, None))

    def _handle(self, messages: Sequence[Message]) -> bool:
        """Everything in its order. Out: False for a client that says too much."""
        batch: list[Message] = []
        for message in messages:
            if message.topic != HEARD:
                batch.append(message)
                continue
            self._tell(batch)
            batch = []
            if message.payload is None:
                continue
            if self._too_many():
                return False
            self._hear(message.payload)
        self._tell(batch)
        db.session.remove()
        return True

    def _tell(self, batch: Sequence[Message]) -> None:
        for name, listener in self._listeners.items():
            ours = [message for message in batch if message.topic in self._channels[name].topics]
            if ours:
                for event in listener.tell(self._actor, ours):
                    self._send(event)

    def _too_many(self) -> bool:
        if time.monotonic() - self._minute > 60:
            self._minute, self._heard = time.monotonic(), 0
        self._heard += 1
        return self._heard > MESSAGES_A_MINUTE

    def _hear(self, text: str | bytes) -> None:
        said = _object(text)
        match said.get("type"):
            case "subscribe" | "unsubscribe" as verb:
                names = said.get("channels")
                if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                    self._error("bad-message", gettext('Name the channels in a list, for example ["calls"].'))
                else:
                    self._subscribe(names) if verb == "subscribe" else self._unsubscribe(names)
            case "auth":
                self._renew(said.get("token"))
            case _:
                self._error("bad-message", gettext("Send a JSON object with a type: auth, subscribe or unsubscribe."))

    def _subscribe(self, names: Iterable[str]) -> None:
        fresh: list[str] = []
        for name in dict.fromkeys(names):
            if name not in self._channels:
                text = gettext("There is no channel %(name)s.", name=name[:40])
                self._error("unknown-channel", text)
            elif name not in self._allowed():
                self._error("forbidden", gettext("Your role does not allow this."))
            elif name not in self._listeners:
                fresh.append(name)
        self._listeners.update({name: self._channels[name].listener() for name in fresh})
        self._send_subscriptions()
        for name in fresh:
            for event in self._listeners[name].begin(self._actor):
                self._send(event)

    def _unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            self._listeners.pop(name, None)
        self._send_subscriptions()

    def _send_subscriptions(self) -> None:
        self._send({"type": "SUBSCRIBED", "data": {"channels": sorted(self._listeners)}})

    def _renew(self, token: object) -> None:
        """A newer token of the same person prolongs the visit."""
        before = g.get("bearer", "")
        actor = _bearer(token) if isinstance(token, str) else None
        if actor is None or actor.user_id != self._actor.user_id or actor.role != self._actor.role:
            g.bearer = before
            self._error("unauthorized", gettext("This token is not valid or no longer valid. Please sign in again."))
        else:
            self._actor = actor
            self._send({"type": "READY", "data": {"channels": sorted(self._allowed())}})

    def _allowed(self) -> set[str]:
        return {name for name, one in self._channels.items() if self._actor.scope(one.permission) is not None}

    def _still_signed_in(self) -> bool:
        now = _actor()
        return now is not None and now.user_id == self._actor.user_id and now.role == self._actor.role

    def _error(self, code: str, detail: str) -> None:
        self._send({"type": "ERROR", "data": {"code": code, "detail": detail}})

    def _send(self, event: Event) -> None:
        self._ws.send(json.dumps(event))


def _object(text: str | bytes) -> dict[str, Any]:
    """What a client sent; empty where it is no JSON object."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _actor() -> Actor | None:
    """Whose token it is now: looked up afresh, because the sign-in may have ended since."""
    for name in ("actor", "visitor"):
        g.pop(name, None)
    try:
        return current_actor()
    finally:
        db.session.remove()


def _bearer(token: str) -> Actor | None:
    g.bearer = token
    return _actor()


def _sign_in(ws: Server) -> Actor | None:
    """The actor of the header's token, or of the first message's, which must come soon."""
    if (actor := _actor()) is not None:
        return actor
    text = ws.receive(timeout=SIGN_IN_SECONDS)
    said = _object(text) if text is not None else {}
    token = said.get("token")
    return _bearer(token) if said.get("type") == "auth" and isinstance(token, str) else None


def _serve(ws: Server) -> None:
    room = seats(current_app._get_current_object())  # type: ignore[attr-defined]
    steady(ws, sockets.SEND_SECONDS)
    # Those who have not said yet who they are share a few seats.
    if not room.take("", max(2, room.total // 4)):
        end(ws, TRY_LATER, "too many listeners")
        return
    try:
        actor = _sign_in(ws)
    finally:
        room.free("")
    if actor is None:
        end(ws, SIGNED_OUT, "send a valid access token first")
        return
    if not room.take(actor.user_id):
        end(ws, TRY_LATER, "too many listeners")
        return
    try:
        _listen(ws, actor)
    finally:
        room.free(actor.user_id)


def _listen(ws: Server, actor: Actor) -> None:
    from simple_websocket import ConnectionClosed

    topics = {topic for channel in _channels().values() for topic in channel.topics}
    with current_app.extensions["pbxweb.runtime"].bus.subscribe(topics, MAX_UNREAD) as subscription:
        try:
            _Client(ws, actor, subscription).serve()
        except (ConnectionClosed, OSError) as error:
            log.debug("an API client is gone: %s", error)
            with contextlib.suppress(OSError):
                ws.sock.shutdown(socket.SHUT_RDWR)
        except Exception:
            log.exception("an API client could not be told what happened")
            end(ws, BROKEN, "internal error")


def _refuse_early() -> None:
    """What can be said before the socket is open is said as a problem document."""
    if "pbxweb.runtime" not in current_app.extensions:
        raise Unavailable(gettext("The telephone system is not running."))
    if request.headers.get("Authorization") and current_actor() is None:
        raise SignInFailed(gettext("This token is not valid or no longer valid. Please sign in again."))


def init_app(app: Flask) -> None:
    """Open the socket of ``app``; the rooms add their channels."""
    app.extensions[EXTENSION] = {}
    views = Blueprint("api_events", __name__)
    views.before_request(_refuse_early)
    Sock().route(PATH, bp=views, endpoint="events")(public(_serve))
    app.register_blueprint(views)
