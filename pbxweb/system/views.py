"""The dashboard and the pages of the device itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from pbxweb.asterisk.revisions import touched_files
from pbxweb.security.errors import Conflict, Invalid, Refused
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.storage.database import db
from pbxweb.system import health, house, overview, status, trail
from pbxweb.system.forms import SettingsForm, filled
from pbxweb.web.errors import refused_toast
from pbxweb.web.pages import done, invalid, page, take_refusal

views = Blueprint("system", __name__)


@views.get("/")
@requires("dashboard.read")
def dashboard() -> Response:
    """What is going on."""
    return page("system/dashboard.html", o=overview.of(actor()), findings=health.findings(actor()))


@views.get("/system")
@requires("system.stats")
def index() -> Response:
    """How the device is."""
    return page("system/status.html", s=status.of(), findings=health.findings(actor()))


@views.get("/system/settings")
@requires("system.settings")
def settings() -> Response:
    """The decisions of the house."""
    return page("system/settings.html", form=filled(SettingsForm, house.house()))


@views.post("/system/settings")
@requires("system.settings")
def save_settings() -> Response:
    """Change them."""
    form = SettingsForm()
    if form.validate():
        try:
            house.decide(actor(), {name: form[name].data for name in SETTINGS})
            return done(gettext("The settings are saved and in force."), url_for("system.settings"))
        except (Invalid, Conflict) as refusal:
            take_refusal(form, refusal)
    return invalid("system/settings.html", form=form)


SETTINGS = ("country", "area_code", "digits", "language", "tone_zone")


@views.get("/system/changes")
@requires("system.revisions")
def revisions() -> Response:
    """What Asterisk was told, change by change."""
    before = request.args.get("before", type=int)
    shown = list(_applier().history(db.session(), limit=trail.PAGE + 1, before=before))
    rows = shown[: trail.PAGE]
    files = touched_files(db.session(), rows)
    return page("system/revisions.html", revisions=rows, files=files, more=len(shown) > trail.PAGE, before=before)


@views.get("/system/changes/<int:number>")
@requires("system.revisions")
def revision(number: int) -> Response:
    """One change with its differences."""
    found = trail.revision(number)
    return page("system/revision.html", r=found, files=trail.coloured(found.diffs), most=trail.LINES)


@views.get("/system/changes/<int:number>.diff")
@requires("system.revisions")
def revision_diff(number: int) -> Response:
    """The whole of its differences as a file."""
    text = "".join(trail.revision(number).diffs.values())
    answer = Response(text, mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="change-{number}.diff"'
    return answer


@views.post("/system/changes/<int:number>/undo")
@requires("system.revisions")
def undo(number: int) -> Response:
    """Put back what it changed."""
    try:
        _applier().undo(actor(), number)
    except Refused as refusal:
        refused_toast(refusal)
        return redirect(url_for("system.revision", number=number), 303)
    return done(gettext("Change %(number)s is undone.", number=number), url_for("system.revisions"))


def _applier() -> Any:
    return current_app.extensions["pbxweb.applier"]


@views.get("/system/audit")
@requires("system.audit")
def audit() -> Response:
    """Who did what."""
    wanted = trail.Wanted(
        search=request.args.get("search", "")[:100].strip(),
        action=request.args.get("action", "")[:60],
        before=request.args.get("before", type=int),
    )
    found = trail.entries(wanted)
    return page("system/audit.html", found=found, wanted=wanted, actions=trail.actions())


@views.get("/system/audit/<int:number>")
@requires("system.audit")
def audit_entry(number: int) -> Response:
    """One line of the trail with all its fields, page by page."""
    start = max(0, request.args.get("from", default=0, type=int))
    return page("system/entry.html", e=trail.whole(number, start))
