"""The live parts of pages: rendered once for everybody who may see the same, and sent over one WebSocket a page.

A room adds its parts in ``init_app``: ``hub(app).add(Part("calls", "calls.live", ("calls",), render))``. A page marks
where they go: ``<div id="live-calls" data-live="calls">``; ``render`` returns the same element with
``hx-swap-oob="true"``. A part can exist many times (``data-live="phone:201"``): what follows the colon is its key.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, g

from pbxweb.security.roles import Actor, Scope

if TYPE_CHECKING:
    from pbxweb.live.bus import Bus, Message, Subscription
    from pbxweb.live.sockets import Seats

log = logging.getLogger(__name__)

JOINED = "web.joined"
QUIET = 0.02  # seconds between two rounds, so that a burst of events is told once
MAX_PARTS = 300
EXTENSION = "pbxweb.web.live"


def _all(_message: Message) -> None:
    """Every key of the part may have changed."""


@dataclass(frozen=True)
class Part:
    """A live part: its name, who may see it, which topics make it stale, and how it is written.

    ``render(key)`` runs in a context in which ``identity.current_actor()`` is who will see it (without name and id
    where the permission's scope is ALL), and returns "" for nothing. ``keys(message)`` names the keys that a message
    touches; None means all.
    """

    kind: str
    permission: str
    topics: tuple[str, ...]
    render: Callable[[str], str]
    keys: Callable[[Message], Iterable[str] | None] = _all


@dataclass(eq=False)
class Client:
    """One open page. ``send`` writes one text and raises when the line is gone; ``parts`` are (kind, key)."""

    actor: Actor
    language: str
    timezone: str | None
    send: Callable[[str], None]
    close: Callable[[], None]
    parts: tuple[tuple[str, str], ...] = ()
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True)
class _Audience:
    actor: Actor
    language: str
    timezone: str | None


class Hub:
    """Knows the parts and the open pages of one application; ``start`` begins to tell them."""

    def __init__(self, app: Flask, seats: Seats) -> None:
        self._app = app
        self._parts: dict[str, Part] = {}
        self._clients: dict[int, Client] = {}
        self._lock = threading.Lock()
        self._bus: Bus | None = None
        self._seats = seats

    def add(self, part: Part) -> None:
        """Make a part known. Raises ValueError when its name is taken."""
        if part.kind in self._parts:
            raise ValueError(f"live part {part.kind!r} is added twice")
        self._parts[part.kind] = part

    def start(self, bus: Bus) -> None:
        """Tell the open pages what ``bus`` says from now on; ends when the bus is closed."""
        self._bus = bus
        topics = {topic for part in self._parts.values() for topic in part.topics}
        subscription = bus.subscribe({*topics, JOINED}, max_queue=2000)
        threading.Thread(target=self._run, args=(subscription,), name="web-live", daemon=True).start()

    @property
    def running(self) -> bool:
        """Is there somebody to tell the pages?"""
        return self._bus is not None

    def join(self, client: Client) -> bool:
        """Let a page in. False when there are too many already, or too many of the same person."""
        if not self._seats.take(client.actor.user_id):
            return False
        with self._lock:
            self._clients[id(client)] = client
        return True

    def leave(self, client: Client) -> None:
        """Forget a page; an unknown one is no error."""
        with self._lock:
            known = self._clients.pop(id(client), None)
        if known is not None:
            self._seats.free(client.actor.user_id)

    def show(self, client: Client, names: Iterable[Any]) -> None:
        """The page of ``client`` has these parts (``calls``, ``phone:201``) and wants them now and when they change."""
        wanted: dict[tuple[str, str], None] = {}
        for name in names:
            kind, _, key = str(name)[:100].partition(":")
            part = self._parts.get(kind)
            if part is not None and client.actor.scope(part.permission) is not None and len(wanted) < MAX_PARTS:
                wanted[kind, key] = None
        client.parts = tuple(wanted)
        client.fresh = True
        if self._bus is not None:
            self._bus.publish(JOINED, None)

    def _run(self, subscription: Subscription) -> None:
        while not subscription.closed:
            messages = subscription.drain(timeout=30)
            if not messages:
                continue
            try:
                self._tell(messages)
            except Exception:
                log.exception("the open pages could not be told")
            time.sleep(QUIET)
        with self._lock:
            clients = list(self._clients.values())
        for client in clients:
            self.leave(client)
            client.close()

    def _stale(self, messages: Iterable[Message]) -> dict[str, set[str] | None]:
        stale: dict[str, set[str] | None] = {}
        for message in messages:
            for part in self._parts.values():
                if message.topic == "resync":
                    stale[part.kind] = None
                elif message.topic in part.topics and stale.get(part.kind, ()) is not None:
                    keys = part.keys(message)
                    known = stale.setdefault(part.kind, set())
                    if keys is None or known is None:
                        stale[part.kind] = None
                    else:
                        known.update(keys)
        return stale

    def _tell(self, messages: list[Message]) -> None:
        """Part by part, in the order in which they were added: a call's line does not wait for the day's figures."""
        stale = self._stale(messages)
        with self._lock:
            clients = list(self._clients.values())
        begun = [client for client in clients if client.fresh]
        for client in begun:
            client.fresh = False
        for part in self._parts.values():
            keys = stale.get(part.kind, set())
            written: dict[tuple[_Audience, str], str] = {}
            for client in clients:
                again = client in begun
                news = [
                    text
                    for kind, key in client.parts
                    if kind == part.kind and (again or keys is None or key in keys)
                    if (text := self._news(client, part, key, written, again=again))
                ]
                if news:
                    self._send(client, news)

    def _news(
        self, client: Client, part: Part, key: str, written: dict[tuple[_Audience, str], str], *, again: bool
    ) -> str:
        audience = _audience(client, part)
        text = written.get((audience, key))
        if text is None:
            text = written[audience, key] = self._write(part, key, audience)
        if not text or (not again and client.told.get((part.kind, key)) == text):
            return ""
        client.told[part.kind, key] = text
        return text

    def _write(self, part: Part, key: str, audience: _Audience) -> str:
        try:
            with self._app.test_request_context("/"):
                g.actor, g.language, g.timezone, g.live = audience.actor, audience.language, audience.timezone, True
                return part.render(key)
        except Exception:
            log.exception("the live part %s could not be written", part.kind)
            return ""

    def _send(self, client: Client, news: list[str]) -> None:
        clock = f'<i id="clock" data-clock="{int(time.time() * 1000)}"></i>'
        try:
            client.send("\n".join([clock, *news]))
        except Exception as error:
            log.debug("an open page is gone: %s", error)
            self.leave(client)
            client.close()


def _audience(client: Client, part: Part) -> _Audience:
    actor = replace(client.actor, address="")
    if actor.scope(part.permission) is Scope.ALL:
        actor = replace(actor, name="", user_id=None)
    return _Audience(actor, client.language, client.timezone)


def hub(app: Flask | None = None) -> Hub:
    """The hub of ``app`` (default: the current application)."""
    found: Hub = (app or current_app).extensions[EXTENSION]
    return found
