"""Import and export of phones: the file, what it would do, and doing it."""

from __future__ import annotations

from flask import Blueprint, current_app, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from pbxweb.extensions import csvfile, transfer
from pbxweb.extensions.codes import once
from pbxweb.extensions.forms import ImportForm
from pbxweb.extensions.signin import OneTime
from pbxweb.security.errors import Refused
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.web.languages import language
from pbxweb.web.pages import done, invalid, page, take_refusal

transfers = Blueprint("extensions_csv", __name__, url_prefix="/phones")


@transfers.get("/export.csv")
@requires("extensions.create")
def export() -> Response:
    """All phones as a file that the spreadsheet of this language opens."""
    data = transfer.csv_export(actor(), ";" if language() == "de" else ",")
    headers = {"Content-Disposition": 'attachment; filename="phones.csv"', "Cache-Control": "no-store"}
    return Response(data, mimetype="text/csv", headers=headers)


@transfers.get("/import")
@requires("extensions.create")
def choose() -> Response:
    """The form for a file."""
    return page("extensions/import.html", form=ImportForm(), columns=csvfile.COLUMNS)


@transfers.post("/import")
@requires("extensions.create")
def plan() -> Response:
    """What the file would do; nothing is changed yet."""
    form = ImportForm()
    if form.validate():
        try:
            planned = transfer.csv_plan(actor(), form.file.data.read(csvfile.MOST_BYTES + 1))
            token = _files().put((actor().user_id, planned.data)) if planned.good else ""
            return page("extensions/plan.html", plan=planned, token=token)
        except Refused as refusal:
            take_refusal(form, refusal)
    return invalid("extensions/import.html", form=form, columns=csvfile.COLUMNS)


@transfers.post("/import/go")
@requires("extensions.create")
def go() -> Response:
    """Import the file whose plan was shown."""
    kept = _files().take(request.form.get("token", ""))
    form = ImportForm(formdata=None)
    if kept is None or kept[0] != actor().user_id:
        form.form_errors = [_("This plan has expired. Choose the file again.")]
        return invalid("extensions/import.html", form=form, columns=csvfile.COLUMNS)
    try:
        made = transfer.csv_import(actor(), transfer.Plan(kept[1]))
    except Refused as refusal:
        take_refusal(form, refusal)
        return invalid("extensions/import.html", form=form, columns=csvfile.COLUMNS)
    if not made:
        return done(_("The file is imported."), url_for("extensions.index"))
    token = once().put(tuple((new.extension.id, new.password) for new in made))
    text = ngettext("%(num)d phone is ready.", "%(num)d phones are ready.", len(made))
    return done(text, url_for("extensions.ready", once=token))


def _files() -> OneTime[tuple[str | None, bytes]]:
    kept: OneTime[tuple[str | None, bytes]] = current_app.extensions["pbxweb.extensions.files"]
    return kept
