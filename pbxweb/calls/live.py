"""Calls that are under way: what a person may see of them, and how API clients hear of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import current_app
from flask_babel import gettext
from sqlalchemy import select

from pbxweb.calls.history import own_numbers
from pbxweb.calls.models import call_id
from pbxweb.extensions.models import Extension
from pbxweb.live.model import Call, CallChange
from pbxweb.security.errors import NotFound, Unavailable
from pbxweb.security.roles import Actor, Scope
from pbxweb.storage.database import db

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime


@dataclass(frozen=True)
class LiveCall:
    """A call under way, as people see it. ``id`` is its id in the history later; ``call`` is Asterisk's side of it."""

    id: str
    call: Call
    caller_number: str
    caller_name: str
    called_number: str
    called_name: str
    direction: str
    state: str
    started_at: datetime | None
    answered_at: datetime | None
    parked_at: str
    may_hang_up: bool


def runtime() -> Runtime:
    """What runs beside this web process. Raises Unavailable where nothing does."""
    found: Runtime | None = current_app.extensions.get("pbxweb.runtime")
    if found is None:
        raise Unavailable(gettext("The telephone system is not running."))
    return found


def live_calls(actor: Actor) -> list[LiveCall]:
    """The calls under way that ``actor`` may see, the newest first. Raises Forbidden; empty while nothing runs."""
    numbers = own_numbers(actor, "calls.live")
    beside: Runtime | None = current_app.extensions.get("pbxweb.runtime")
    every: Iterable[Call] = beside.feed.snapshot().calls.values() if beside else ()
    seen = [call for call in every if numbers is None or any(call.involves(number) for number in numbers)]
    if not seen:
        return []
    names = _names(seen)
    scope = actor.scope("calls.hangup")
    mine = set(own_numbers(actor, "calls.hangup") or ()) if scope is Scope.OWN else set()
    shown = [_shown(call, names, scope is Scope.ALL or _has_leg(call, mine)) for call in seen]
    return sorted(shown, key=lambda one: (one.started_at is None, one.started_at), reverse=True)


def live_call(actor: Actor, key: str) -> LiveCall:
    """The call under way with this id (or Linkedid). Raises NotFound, also for one that ``actor`` may not see."""
    for found in live_calls(actor):
        if key in (found.id, found.call.id):
            return found
    raise NotFound(gettext("There is no such call, or it has ended."))


def _has_leg(call: Call, numbers: set[str]) -> bool:
    return any(leg.endpoint in numbers for leg in call.legs)


def _names(calls: Iterable[Call]) -> dict[str, str]:
    numbers = {number for call in calls for number in (call.from_number, call.to_number) if number}
    rows = db.session.execute(select(Extension.number, Extension.display_name).where(Extension.number.in_(numbers)))
    return {row.number: row.display_name for row in rows}


def _shown(call: Call, names: Mapping[str, str], may_hang_up: bool) -> LiveCall:
    return LiveCall(
        id=call_id(call.id),
        call=call,
        caller_number=call.from_number,
        caller_name=names.get(call.from_number) or call.from_name,
        called_number=call.to_number,
        called_name=names.get(call.to_number) or call.to_name,
        direction=call.direction,
        state=call.state,
        started_at=call.started,
        answered_at=call.answered,
        parked_at=call.parked_at,
        may_hang_up=may_hang_up,
    )


# What a client hears when a call comes into a state; "answered" after "held" is CALL_UNHELD.
EVENTS = {
    "ringing": "CALL_RINGING",
    "answered": "CALL_ANSWERED",
    "held": "CALL_HELD",
    "parked": "CALL_PARKED",
    "transferred": "CALL_TRANSFERRED",
}


class Translator:
    """Turns the changes of calls into the events of the API, in order. One for each listener."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._parties: dict[str, tuple[str, ...]] = {}

    def knows(self, key: str) -> bool:
        """Whether the client has heard of the call with this Linkedid and not of its end."""
        return key in self._states

    def forget(self, key: str) -> None:
        """The client hears no more of this call."""
        self._states.pop(key, None)
        self._parties.pop(key, None)

    def events(self, change: CallChange) -> list[dict[str, Any]]:
        """``[{"type": "CALL_RINGING", "data": {…}}, …]``; empty where nothing is new to a client."""
        call, before = change.call, self._states.get(change.call.id)
        if before is None and (change.kind in ("ended", "merged") or call.parties_unknown):
            return []
        data = event_data(call)
        if change.kind == "merged":
            self.forget(call.id)
            return [{"type": "CALL_MERGED", "data": {"callId": data["callId"], "into": call_id(change.into)}}]
        if change.kind == "ended":
            self.forget(call.id)
            since = call.answered if call.answered and call.ended else None
            talked = round((call.ended - since).total_seconds()) if since and call.ended else 0
            return [{"type": "CALL_ENDED", "data": data | {"duration": talked, "endReason": end_reason(call)}}]
        self._states[call.id] = call.state
        types = ["CALL_CREATED"] if before is None else []
        if call.state != before and call.state in EVENTS:
            types.append("CALL_UNHELD" if (before, call.state) == ("held", "answered") else EVENTS[call.state])
        parties = (call.from_number, call.from_name, call.to_number, call.to_name, call.direction)
        if not types and parties != self._parties[call.id]:
            types.append("CALL_UPDATED")
        self._parties[call.id] = parties
        return [{"type": kind, "data": data} for kind in types]


def end_reason(call: Call) -> str:
    """Why a call ended, in a word: completed, busy, cancelled, no-answer or failed."""
    if call.answered:
        return "completed"
    return {17: "busy", 21: "busy", 0: "cancelled", 16: "cancelled", 127: "cancelled", 18: "no-answer"}.get(
        call.cause, "no-answer" if call.cause in (19, 20) else "failed"
    )


def event_data(call: Call) -> dict[str, Any]:
    """A call as the API's events tell it."""
    return {
        "callId": call_id(call.id),
        "fromNumber": call.from_number,
        "fromName": call.from_name,
        "toNumber": call.to_number,
        "toName": call.to_name,
        "direction": call.direction,
        "state": call.state,
        "startedAt": _iso(call.started),
        "answeredAt": _iso(call.answered),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
