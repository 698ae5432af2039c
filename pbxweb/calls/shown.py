"""Calls as pages and API show them: words, pictures, colours, and the one form for a live and an ended call."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _

from pbxweb.calls.live import LiveCall
from pbxweb.calls.models import Call, moment
from pbxweb.storage.database import utcnow

if TYPE_CHECKING:
    from flask import Flask

# What to show for each word: text, icon, colour.
DIRECTIONS = {
    "inbound": (_("Incoming"), "arrow-down-left", "green"),
    "outbound": (_("Outgoing"), "arrow-up-right", "blue"),
    "internal": (_("Internal"), "switch-horizontal", "gray"),
}
DISPOSITIONS = {
    "answered": (_("Answered"), "green"),
    "missed": (_("Missed"), "red"),
    "busy": (_("Busy"), "yellow"),
    "failed": (_("Failed"), "red"),
}
OUTCOMES = DISPOSITIONS | {"elsewhere": (_("Answered elsewhere"), "gray")}
STATES = {
    "initiated": (_("Dialling"), "gray"),
    "ringing": (_("Ringing"), "yellow"),
    "answered": (_("Talking"), "green"),
    "held": (_("On hold"), "blue"),
    "transferred": (_("Being transferred"), "yellow"),
    "parked": (_("Parked"), "blue"),
    "ended": (_("Ended"), "gray"),
}


def of_ended(call: Call, *, details: bool = False) -> dict[str, Any]:
    """The API's form of a call from the history."""
    shown: dict[str, Any] = {
        "id": call.id,
        "state": "ended",
        "direction": call.direction,
        "disposition": call.disposition,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "callee_number": call.called_number,
        "callee_name": call.called_name,
        "answered_by": call.answered_by,
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds,
        "parking_slot": None,
    }
    if details:
        shown["legs"] = [leg | {f"{name}_at": _at(leg[name]) for name in _TIMES} for leg in call.legs]
        shown["steps"] = [step | {"at": _at(step["at"])} for step in call.steps]
    return shown


_TIMES = ("started", "answered", "ended")


def _at(micro: int | None) -> Any:
    return None if micro is None else moment(micro)


def of_live(live: LiveCall, *, details: bool = False) -> dict[str, Any]:
    """The API's form of a call under way."""
    now = utcnow()
    answered = live.answered_at
    rung = ((answered or now) - live.started_at).total_seconds() if live.started_at else 0
    shown: dict[str, Any] = {
        "id": live.id,
        "state": live.state,
        "direction": live.direction,
        "disposition": None,
        "caller_number": live.caller_number,
        "caller_name": live.caller_name,
        "callee_number": live.called_number,
        "callee_name": live.called_name,
        "answered_by": "",
        "started_at": live.started_at,
        "answered_at": answered,
        "ended_at": None,
        "ring_seconds": max(0, round(rung)),
        "talk_seconds": max(0, round((now - answered).total_seconds())) if answered else 0,
        "parking_slot": live.parked_at or None,
    }
    if details:
        shown["legs"] = [
            {
                "number": leg.endpoint,
                "name": leg.caller_name,
                "role": "calling" if leg.uniqueid == live.call.caller else "called",
                "outcome": "answered" if leg.answered else leg.state,
                "started_at": leg.created,
                "answered_at": leg.answered,
                "ended_at": None,
            }
            for leg in live.call.legs
        ]
        shown["steps"] = []
    return shown


def day_name(day: date) -> str:
    """A day as a heading: Today, Yesterday, or its date."""
    from flask_babel import format_date, gettext, to_user_timezone

    days = (to_user_timezone(utcnow()).date() - day).days
    if days in (0, 1):
        return str(gettext("Today") if days == 0 else gettext("Yesterday"))
    return str(format_date(day, "full"))


def init_app(app: Flask) -> None:
    """Make the words known to every template and the live list known to the open pages of ``app``."""
    from flask import render_template
    from flask_babel import to_user_timezone

    from pbxweb.calls.live import live_calls
    from pbxweb.security.identity import actor
    from pbxweb.web.live import Part, hub

    app.jinja_env.globals.update(
        call_directions=DIRECTIONS, call_dispositions=DISPOSITIONS, call_outcomes=OUTCOMES, call_states=STATES
    )
    app.jinja_env.filters.update(day_name=day_name, local_day=lambda at: to_user_timezone(at).date(), of_micro=_at)

    def render(_key: str) -> str:
        return render_template("calls/_live.html", calls=live_calls(actor()), live=True)

    hub(app).add(Part("calls", "calls.live", ("calls", "engine"), render))
