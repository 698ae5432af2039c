"""The channel ``calls`` of the API's events: each client hears of the calls that it may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flask import current_app

from pbxweb.api.events import Channel, Event
from pbxweb.calls.history import own_numbers
from pbxweb.calls.live import Translator
from pbxweb.calls.models import call_id
from pbxweb.live.bus import Message
from pbxweb.live.feed import CALLS
from pbxweb.live.model import CallChange
from pbxweb.security.roles import Actor

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime

PERMISSION = "calls.live"


class CallListener:
    """One client's ear for calls."""

    def __init__(self) -> None:
        self._translator = Translator()

    def begin(self, actor: Actor) -> Iterable[Event]:
        """Every call under way is created, in the state that it is in."""
        runtime: Runtime = current_app.extensions["pbxweb.runtime"]
        calls = sorted(runtime.feed.snapshot().calls.values(), key=lambda call: call.id)
        return self._events(actor, [CallChange("new", call) for call in calls])

    def tell(self, actor: Actor, messages: Sequence[Message]) -> Iterable[Event]:
        """The changes of the calls that ``actor`` may see."""
        return self._events(actor, [m.payload for m in messages if isinstance(m.payload, CallChange)])

    def _events(self, actor: Actor, changes: Iterable[CallChange]) -> list[Event]:
        numbers = own_numbers(actor, PERMISSION)
        return [event for change in changes for event in self._one(change, numbers)]

    def _one(self, change: CallChange, numbers: tuple[str, ...] | None) -> list[Event]:
        call, known = change.call, self._translator.knows(change.call.id)
        if numbers is None or any(call.involves(number) for number in numbers):
            return self._translator.events(change)
        if not known:
            return []
        if change.kind in ("ended", "merged"):
            return self._translator.events(change)
        self._translator.forget(call.id)
        return [{"type": "CALL_LEFT", "data": {"callId": call_id(call.id)}}]


CHANNEL = Channel("calls", PERMISSION, (CALLS,), CallListener)
