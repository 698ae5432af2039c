"""The API of the device: status, figures, revisions, audit trail, settings, first run."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import current_app, request

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.asterisk.revisions import touched_files
from pbxweb.extensions.signin import sign_in
from pbxweb.security.guard import public, requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import limited
from pbxweb.storage.database import db
from pbxweb.system import health, house, overview, setup, status, trail
from pbxweb.system.schemas import (
    AuditAnswer,
    AuditQuery,
    DashboardAnswer,
    DecisionsAnswer,
    DecisionsRequest,
    KeysetQuery,
    RevisionAnswer,
    RevisionsAnswer,
    SetupAnswer,
    SetupRequest,
    StatsAnswer,
    StatusAnswer,
    TrailAnswer,
    UndoneAnswer,
)

P = ParamSpec("P")
R = TypeVar("R")

device = blueprint("system", "The device itself")
first_run = blueprint("setup", "The first run of a new device")
dashboard = blueprint("dashboard", "The dashboard's figures", "stats/dashboard")


@device.route("/status")
@public
@device.response(200, StatusAnswer)
def get_status() -> dict[str, Any]:
    """Is it up? Anybody may ask."""
    return status.short()


@device.route("/stats")
@requires("system.stats")
@device.response(200, StatsAnswer)
def get_stats() -> dict[str, Any]:
    """Figures of the whole house."""
    return status.statistics()


@dashboard.route("")
@requires("dashboard.read")
@dashboard.response(200, DashboardAnswer)
def get_dashboard() -> dict[str, Any]:
    """What the dashboard shows."""
    found = overview.of(actor())
    return {
        "asterisk_up": found.engine.up,
        "extensions": found.phones,
        "extensions_online": found.phones_online,
        "active_calls": len(found.live),
        "calls_today": found.calls_today,
        "answered_today": found.answered_today,
        "missed_today": found.missed_today,
        "talk_seconds_today": found.talk_seconds_today,
        "health": health.findings(actor()),
    }


@device.route("/settings")
@requires("system.settings")
@device.response(200, DecisionsAnswer)
def get_settings() -> house.House:
    """Country, area code, number plan, language, tones."""
    return house.house()


@device.route("/settings", methods=["PATCH"])
@requires("system.settings")
@device.arguments(DecisionsRequest)
@device.response(200, DecisionsAnswer)
def change_settings(given: dict[str, Any]) -> house.House:
    """Change some of them; they are in force when the answer arrives."""
    return house.decide(actor(), given)


@device.route("/revisions")
@requires("system.revisions")
@device.arguments(KeysetQuery, location="query")
@device.response(200, RevisionsAnswer)
def get_revisions(query: dict[str, Any]) -> dict[str, Any]:
    """Every change of what Asterisk runs, newest first."""
    found = list(_applier().history(db.session(), limit=query["limit"] + 1, before=query["before"]))
    rows = found[: query["limit"]]
    files = touched_files(db.session(), rows)
    data = [{name: getattr(row, name) for name in LISTED} | {"files": files[row.number]} for row in rows]
    return {"data": data, "next": rows[-1].number if len(found) > len(rows) else None}


LISTED = ("number", "at", "actor_name", "via", "action", "subject", "live", "needs_restart", "undoes")


@device.route("/revisions/<int:number>")
@requires("system.revisions")
@device.response(200, RevisionAnswer)
def get_revision(number: int) -> Any:
    """One change with its differences."""
    return trail.revision(number)


@device.route("/revisions/<int:number>/undo", methods=["POST"])
@requires("system.revisions")
@device.response(200, UndoneAnswer)
@refusals(device, 409)
def undo_revision(number: int) -> Any:
    """Put back what it changed; refused when something was changed again since."""
    return _applier().undo(actor(), number)


def _applier() -> Any:
    return current_app.extensions["pbxweb.applier"]


@device.route("/audit")
@requires("system.audit")
@device.arguments(AuditQuery, location="query")
@device.response(200, TrailAnswer)
def get_audit(query: dict[str, Any]) -> dict[str, Any]:
    """Who did what, newest first."""
    found = trail.entries(trail.Wanted(query["search"], query["action"], query["before"], query["limit"]))
    rows = [_line(one) for one in found.entries]
    return {"data": rows, "next": rows[-1]["id"] if found.more else None}


@device.route("/audit/<int:number>")
@requires("system.audit")
@device.response(200, AuditAnswer)
@refusals(device, 404)
def get_audit_entry(number: int) -> dict[str, Any]:
    """One entry with all its details."""
    return _line(trail.entry(number))


def _line(entry: trail.Entry) -> dict[str, Any]:
    names = ("id", "at", "actor_name", "via", "address", "action", "subject")
    return {name: getattr(entry.line, name) for name in names} | {"details": entry.details}


def _only_once(view: Callable[P, R]) -> Callable[P, R]:
    """Say that the first run is over before anything else is looked at."""

    @wraps(view)
    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        setup.demand_new()
        return view(*args, **kwargs)

    return once


@first_run.route("", methods=["POST"])
@public
@limited("login")
@_only_once
@first_run.arguments(SetupRequest)
@first_run.response(201, SetupAnswer)
@refusals(first_run, 403, 409)
def set_up(given: dict[str, Any]) -> dict[str, Any]:
    """Set a new device up at once: administrator, place, phones. Needs the code that the start prints."""
    code = given.pop("code")
    made = setup.set_up(code, given, request.remote_addr or "")
    settings = current_app.extensions["pbxweb.settings"]
    host = request.host.rpartition(":")[0] or request.host
    return {
        "user_id": made.user.id,
        "email": made.user.email,
        "phones": [_phone(new, sign_in(new.extension, host, settings, new.password)) for new in made.phones],
    }


def _phone(new: Any, data: Any) -> dict[str, Any]:
    return {
        "id": new.extension.id,
        "number": data.number,
        "display_name": data.name,
        "password": new.password,
        "server": data.server,
        "port": data.port,
        "transport": data.best,
    }
