"""``/api/v1/calls`` and ``/api/v1/stats``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.api.paging import page_of
from pbxweb.calls import history, live, service, statistics
from pbxweb.calls.download import csv_response
from pbxweb.calls.history import Filter
from pbxweb.calls.schemas import (
    CallDetails,
    FilterQuery,
    HistoryPage,
    HistoryQuery,
    LivePage,
    LiveQuery,
    OriginateIn,
    OriginateOut,
    StatisticsOut,
    StatisticsQuery,
)
from pbxweb.calls.shown import of_ended, of_live
from pbxweb.security.errors import NotFound
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import limited

calls = blueprint("calls", "Calls: those under way, the history, and what can be done to them.")
stats = blueprint("stats", "How many calls there were.")


def _live(query: dict[str, Any]) -> dict[str, Any]:
    seen = live.live_calls(actor())
    if query["extension"]:
        seen = [one for one in seen if one.call.involves(query["extension"])]
    page, limit = query["page"], query["limit"]
    shown = [of_live(one) for one in seen[(page - 1) * limit : page * limit]]
    return page_of(shown, len(seen), page, limit)


@calls.route("", methods=["GET"])
@requires("calls.live")
@calls.arguments(LiveQuery, location="query")
@calls.response(200, LivePage)
def list_live(query: dict[str, Any]) -> dict[str, Any]:
    """List the calls under way

    Agents and users see those of their own phones.
    """
    return _live(query)


@calls.route("/active", methods=["GET"])
@requires("calls.live")
@calls.arguments(LiveQuery, location="query")
@calls.response(200, LivePage)
def list_active(query: dict[str, Any]) -> dict[str, Any]:
    """List the calls under way (the same as `/calls`)"""
    return _live(query)


def _filter(query: dict[str, Any]) -> Filter:
    return Filter(
        start=query["start"],
        end=query["end"],
        extension=query["extension"],
        search=query["search"],
        directions=(query["direction"],) if query["direction"] else (),
        dispositions=(query["disposition"],) if query["disposition"] else (),
    )


@calls.route("/history", methods=["GET"])
@requires("calls.history")
@calls.arguments(HistoryQuery, location="query")
@calls.response(200, HistoryPage)
def list_history(query: dict[str, Any]) -> dict[str, Any]:
    """List the ended calls

    The newest first. `meta.nextCursor` leads on through any number of calls, also while new ones are added.
    """
    after = history.cursor(query["cursor"])
    page, limit = (1 if after else query["page"]), query["limit"]
    found = history.calls(actor(), _filter(query), limit=limit, page=page, older_than=after)
    answer = page_of([of_ended(call) for call in found.calls], found.total, page, limit)
    answer["meta"] |= {"exact": found.exact, "next_cursor": str(found.older) if found.older else None}
    return answer


@calls.route("/history.csv", methods=["GET"])
@requires("calls.history")
@calls.arguments(FilterQuery, location="query")
@calls.response(200, content_type="text/csv")
def history_csv(query: dict[str, Any]) -> Response:
    """Export the ended calls as CSV"""
    return csv_response(_filter(query))


def _statistics(query: dict[str, Any]) -> statistics.Statistics:
    return statistics.statistics(actor(), query["extension"])


@calls.route("/statistics", methods=["GET"])
@requires("calls.statistics")
@calls.arguments(StatisticsQuery, location="query")
@calls.response(200, StatisticsOut)
def get_statistics(query: dict[str, Any]) -> statistics.Statistics:
    """Count the calls of today, this week and this month"""
    return _statistics(query)


@stats.route("/calls", methods=["GET"])
@requires("calls.statistics")
@stats.arguments(StatisticsQuery, location="query")
@stats.response(200, StatisticsOut)
def get_stats(query: dict[str, Any]) -> statistics.Statistics:
    """Count the calls (the same as `/calls/statistics`)"""
    return _statistics(query)


@calls.route("/<uuid:call_id>", methods=["GET"])
@requires("calls.history")
@calls.response(200, CallDetails)
def get_call(call_id: UUID) -> dict[str, Any]:
    """Show a call, live or ended, with the devices that took part"""
    try:
        return of_live(live.live_call(actor(), str(call_id)), details=True)
    except NotFound:
        return of_ended(history.one(actor(), str(call_id)), details=True)


def _originate(data: dict[str, Any]) -> dict[str, Any]:
    key = service.originate(actor(), data["source"] or service.own_phone(actor()), data["target"])
    return {"call_id": key, "status": "initiated"}


@calls.route("/originate", methods=["POST"])
@limited("calls")
@requires("calls.originate")
@calls.arguments(OriginateIn)
@calls.response(201, OriginateOut)
@refusals(calls, 409)
def originate(data: dict[str, Any]) -> dict[str, Any]:
    """Call a number from a phone

    The phone rings first; when it is answered, the number is called. Everybody may use their own phones,
    administrators any.
    """
    return _originate(data)


@calls.route("", methods=["POST"])
@limited("calls")
@requires("calls.originate")
@calls.arguments(OriginateIn)
@calls.response(201, OriginateOut)
@refusals(calls, 409)
def create(data: dict[str, Any]) -> dict[str, Any]:
    """Call a number from a phone (the same as `/calls/originate`)"""
    return _originate(data)


@calls.route("/<uuid:call_id>/hangup", methods=["POST"])
@limited("calls")
@requires("calls.hangup")
@calls.response(204)
def hangup(call_id: UUID) -> None:
    """End a call"""
    service.hangup(actor(), str(call_id))


@calls.route("/<uuid:call_id>/hangup", methods=["PUT"])
@limited("calls")
@requires("calls.hangup")
@calls.response(204)
def put_hangup(call_id: UUID) -> None:
    """End a call (the same as POST)"""
    service.hangup(actor(), str(call_id))
