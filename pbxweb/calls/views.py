"""The pages about calls."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from flask_babel import gettext, to_user_timezone
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice

from pbxweb.calls import history as calls_history
from pbxweb.calls import live as calls_live
from pbxweb.calls import service
from pbxweb.calls import statistics as calls_statistics
from pbxweb.calls.chart import chart
from pbxweb.calls.download import csv_response
from pbxweb.calls.forms import DialForm, FilterForm
from pbxweb.calls.models import Call
from pbxweb.security.errors import Conflict, Invalid
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import limited
from pbxweb.web.pages import done, invalid, page, safe_target, take_refusal

calls = Blueprint("calls", __name__, url_prefix="/calls")
PER_PAGE = 25


def _dial_form() -> DialForm | None:
    """The form to call a number, when this person has a phone to call from."""
    who = actor()
    if who.scope("calls.originate") is None:
        return None
    phones = service.phones_of(who)
    form = DialForm(prefix="dial")
    form.source.choices = [SelectChoice(number, f"{number} {name}") for number, name in phones]
    return form if phones else None


def _back() -> str:
    """The page from which a form was sent, else the live calls."""
    return safe_target(request.form.get("next")) if request.form.get("next") else url_for("calls.live")


def _own_phone() -> str:
    """The phone from which this person calls back; empty for none."""
    try:
        return service.own_phone(actor())
    except Invalid:
        return ""


@calls.get("")
@requires("calls.live")
def live() -> Response:
    """The calls under way, and a number to call."""
    seen = calls_live.live_calls(actor())
    return page("calls/live.html", part="calls/_live.html", calls=seen, dial=_dial_form())


@calls.post("/originate")
@limited("calls")
@requires("calls.originate")
def originate() -> Response:
    """Ring the own phone, then call a number."""
    form = _dial_form()
    if form is None:
        raise Invalid({"from": gettext("There is no phone yet from which you could call.")})
    if form.validate():
        try:
            service.originate(actor(), form.source.data, form.target.data)
            text = gettext(
                "Phone %(number)s rings now. Pick it up to call %(to)s.", number=form.source.data, to=form.target.data
            )
            return done(text, _back())
        except (Invalid, Conflict) as refusal:
            if isinstance(refusal, Invalid):
                refusal.fields = {{"from": "source", "to": "target"}.get(k, k): v for k, v in refusal.fields.items()}
            else:
                refusal.field = "source"
            take_refusal(form, refusal)
    return invalid("calls/live.html", calls=calls_live.live_calls(actor()), dial=form)


@calls.post("/<uuid:call_id>/hangup")
@limited("calls")
@requires("calls.hangup")
def hangup(call_id: UUID) -> Response:
    """End a call."""
    service.hangup(actor(), str(call_id))
    return done(gettext("The call was ended."), _back())


def _by_day(listed: list[Call]) -> list[tuple[Any, list[Call]]]:
    return [(day, list(some)) for day, some in groupby(listed, lambda call: to_user_timezone(call.started_at).date())]


@calls.get("/history")
@requires("calls.history")
def history() -> Response:
    """The ended calls, day by day."""
    form = FilterForm(request.args)
    form.validate()
    older, newer = request.args.get("older", ""), request.args.get("newer", "")
    found = calls_history.calls(
        actor(),
        form.wanted(calls_statistics.zone()),
        limit=PER_PAGE,
        older_than=calls_history.cursor(older, "older"),
        newer_than=None if older else calls_history.cursor(newer, "newer"),
    )
    return page(
        "calls/history.html",
        part="calls/_history.html",
        form=form,
        chosen=form.chosen(),
        found=found,
        days=_by_day(found.calls),
        own_phone=_own_phone(),
    )


@calls.get("/history.csv")
@requires("calls.history")
def history_csv() -> Response:
    """The same calls as a file."""
    form = FilterForm(request.args)
    form.validate()
    return csv_response(form.wanted(calls_statistics.zone()))


@calls.get("/statistics")
@requires("calls.statistics")
def statistics() -> Response:
    """Today, this week, this month, and the last thirty days."""
    extension = request.args.get("extension", "").strip()[:8]
    found = calls_statistics.statistics(actor(), extension)
    return page("calls/statistics.html", found=found, bars=chart(found.days), extension=extension)
