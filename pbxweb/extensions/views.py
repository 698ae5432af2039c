"""The pages about phones: list, new, edit, connect. Import and export are in ``csv_views.py``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from pbxweb.api.paging import page_of
from pbxweb.extensions import codes, destinations, devices, listing, secrets, service, shown
from pbxweb.extensions.forms import CODEC_SHORT, BulkForm, NewPhoneForm, OwnForm, PhoneForm, RevealForm, filled
from pbxweb.extensions.listing import NOBODY, ORDERS, Wanted
from pbxweb.extensions.models import Extension, Status
from pbxweb.extensions.people import people
from pbxweb.extensions.service import NewPhone
from pbxweb.extensions.signin import SignIn, linphone, sign_in
from pbxweb.security.errors import Refused
from pbxweb.security.guard import demand, public, requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import limited
from pbxweb.security.roles import Scope
from pbxweb.web.languages import language
from pbxweb.web.pages import done, invalid, page, take_refusal

phones = Blueprint("extensions", __name__, url_prefix="/phones")
LIMIT = 50
# A page with more codes than this takes long to make and nobody scans it.
MOST_CODES = 20


def _whole_number(name: str, default: int = 1) -> int:
    text = request.args.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else default


@phones.get("")
@requires("extensions.list")
def index() -> Response:
    """All phones, or those that the filters leave."""
    args = {name: request.args.get(name, "")[:200] for name in ("search", "status", "owner", "online", "sort")}
    owner = actor().user_id if args["owner"] == "me" else args["owner"]
    wanted = Wanted(
        search=args["search"],
        status=args["status"] if args["status"] in list(Status) else "",
        owner=owner or "",
        online={"yes": True, "no": False}.get(args["online"]),
        sort=args["sort"] if args["sort"].removeprefix("-") in ORDERS else "number",
        page=_whole_number("page"),
        limit=LIMIT,
    )
    found = listing.find(actor(), wanted)
    return page(
        "extensions/index.html",
        part="extensions/_table.html",
        phones=found.rows,
        here=devices.by_number(),
        meta=page_of([], found.total, wanted.page, LIMIT)["meta"],
        args={name: value for name, value in args.items() if value},
        wanted=args,
        nobody=NOBODY,
        me=actor().user_id,
    )


@phones.get("/new")
@requires("extensions.create")
def new() -> Response:
    """The form for a new phone."""
    form = NewPhoneForm(number=service.suggest_number(), language=language(), people=people())
    return page("extensions/new.html", form=form)


@phones.post("/new")
@requires("extensions.create")
def create() -> Response:
    """Make a phone and show how to connect it."""
    form = NewPhoneForm(people=people())
    if form.validate():
        try:
            return _ready([service.create(actor(), form.given())])
        except Refused as refusal:
            take_refusal(form, refusal)
    return invalid("extensions/new.html", form=form)


@phones.get("/several")
@requires("extensions.create")
def several() -> Response:
    """The form for many phones."""
    form = BulkForm(first_number=service.suggest_number(), name_pattern=_("Phone {number}"))
    return page("extensions/several.html", form=form)


@phones.post("/several")
@requires("extensions.create")
def create_several() -> Response:
    """Make many phones and show how to connect them."""
    form = BulkForm()
    if form.validate():
        try:
            common = {"pickup_group": form.pickup_group.data, "language": language()}
            pattern = form.name_pattern.data
            return _ready(service.bulk_create(actor(), form.first_number.data, form.count.data, pattern, common))
        except Refused as refusal:
            take_refusal(form, refusal)
    return invalid("extensions/several.html", form=form)


def _ready(made: list[NewPhone]) -> Response:
    token = codes.once().put(tuple((new.extension.id, new.password) for new in made))
    count = len(made)
    return done(ngettext("%(num)d phone is ready.", "%(num)d phones are ready.", count), url_for(".ready", once=token))


@phones.get("/ready")
@requires("extensions.create")
def ready() -> Response:
    """The sign-in data of phones that were just made: passwords this once, without them ever after."""
    passwords = dict(codes.once().take(request.args.get("once", "")) or ())
    rows = sorted(service.load(list(passwords)), key=lambda row: (len(row.number), row.number))
    if not rows:
        flash(_("Passwords are shown once. You can see them again on the page of each phone."), "info")
        return redirect(url_for(".index"), 303)
    scan = len(rows) <= MOST_CODES
    cards = [(row, *_card(row, passwords[row.id], scan=scan)) for row in rows]
    return _unstored(page("extensions/ready.html", cards=cards, here=devices.by_number()))


@phones.get("/<uuid:extension_id>")
@requires("extensions.read")
def show(extension_id: UUID) -> Response:
    """One phone: what it does now, where it is, how to connect it."""
    row = service.get(actor(), str(extension_id))
    return _shown(row, RevealForm())


@phones.post("/<uuid:extension_id>/password")
@requires("extensions.password")
@limited("password")
def reveal(extension_id: UUID) -> Response:
    """The same page with the password in it, for who proves to be the one who is signed in."""
    row = service.get(actor(), str(extension_id))
    demand(actor(), "extensions.password", row.user_id)
    form = RevealForm()
    if form.validate():
        try:
            password = secrets.reveal_password(actor(), row.id, form.account_password.data)
            return _unstored(_shown(service.get(actor(), row.id), RevealForm(formdata=None), password))
        except Refused as refusal:
            take_refusal(form, refusal)
    return _shown(service.get(actor(), str(extension_id)), form, status=422)


@phones.post("/<uuid:extension_id>/new-password")
@requires("extensions.password")
@limited("password")
def renew(extension_id: UUID) -> Response:
    """A new password: shown this once."""
    password = secrets.new_password(actor(), str(extension_id))
    row = service.get(actor(), str(extension_id))
    flash(_("The phone %(number)s has a new password. Enter it in its devices.", number=row.number), "success")
    return _unstored(_shown(row, RevealForm(formdata=None), password))


def _shown(row: Extension, form: RevealForm, password: str | None = None, status: int = 200) -> Response:
    data, scannable = _card(row, password)
    forwards = row.forward_unconditional_enabled or row.forward_on_busy_enabled or row.forward_on_no_answer_enabled
    return page(
        "extensions/show.html",
        status=status,
        phone=row,
        data=data,
        codes=scannable,
        codecs=[CODEC_SHORT[codec] for codec in row.codec_preferences],
        form=form,
        here=devices.of(row.number),
        warnings=shown.warnings(row, destinations.always_forwarded() if forwards else {}),
        lost=listing.forwarded_here([row.number]),
    )


def _card(row: Extension, password: str | None, *, scan: bool = True) -> tuple[SignIn, list[tuple[str, Markup]]]:
    """The sign-in data of a phone, and its codes to scan where the password may be shown."""
    data = sign_in(row, codes.host(), current_app.extensions["pbxweb.settings"], password)
    return data, codes.to_scan(row.id, data) if scan else []


@phones.get("/setup/<token>.xml")
@public
def provision(token: str) -> Response:
    """What Linphone fetches after it has scanned its code: for ten minutes, a few times."""
    kept = codes.once().take(token)
    rows = service.load([kept[0][0]]) if kept else []
    if not kept or not rows:
        return Response("", 404, mimetype="text/plain")
    data = sign_in(rows[0], codes.host(), current_app.extensions["pbxweb.settings"], kept[0][1])
    return _unstored(Response(linphone(data), mimetype="application/xml"))


@phones.get("/<uuid:extension_id>/edit")
@requires("extensions.update")
def edit(extension_id: UUID) -> Response:
    """The form of a phone: everything for administrators, the owner's part for owners."""
    row = service.get(actor(), str(extension_id))
    demand(actor(), "extensions.update", row.user_id)
    return page("extensions/edit.html", form=_form(row), phone=row)


def _form(row: Extension | None) -> Any:
    more: dict[str, Any] = {"data": filled(row)} if row else {}
    everything = actor().scope("extensions.update") is Scope.ALL
    form = PhoneForm(people=people(row.user if row else None), **more) if everything else OwnForm(**more)
    if row:
        form.show(filled(row))
    return form


@phones.post("/<uuid:extension_id>/edit")
@requires("extensions.update")
def update(extension_id: UUID) -> Response:
    """Save a phone."""
    demand(actor(), "extensions.update", service.get(actor(), str(extension_id)).user_id)
    form = _form(None)
    if form.validate():
        try:
            row = service.get(actor(), str(extension_id))
            row = service.update(actor(), row.id, form.changed(row))
            return done(_("Saved: %(number)s is live.", number=row.number), url_for(".show", extension_id=row.id))
        except Refused as refusal:
            take_refusal(form, refusal)
    return invalid("extensions/edit.html", form=form, phone=service.get(actor(), str(extension_id)))


@phones.post("/<uuid:extension_id>/dnd")
@requires("extensions.update")
def dnd(extension_id: UUID) -> Response:
    """Switch do not disturb on or off with one click."""
    wanted = request.form.get("on") == "yes"
    row = service.update(actor(), str(extension_id), {"dnd_enabled": wanted})
    text = _("Do not disturb is on.") if wanted else _("Do not disturb is off.")
    return done(text, url_for(".show", extension_id=row.id))


@phones.post("/<uuid:extension_id>/delete")
@requires("extensions.delete")
def delete(extension_id: UUID) -> Response:
    """Delete a phone for good."""
    service.delete(actor(), str(extension_id))
    return done(_("The phone is deleted."), url_for(".index"))


@phones.post("/delete")
@requires("extensions.delete")
def delete_selected() -> Response:
    """Ask before the selected phones are deleted; with ``sure`` delete them."""
    ids = request.form.getlist("id")[: service.MOST]
    rows = service.load(ids) if ids else []
    if not rows:
        flash(_("Select phones first: tick the boxes at the left."), "info")
        return redirect(url_for(".index"), 303)
    if request.form.get("sure") != "yes":
        rows.sort(key=lambda row: (len(row.number), row.number))
        lost = listing.forwarded_here([row.number for row in rows])
        return page("extensions/delete.html", phones=rows, lost=lost, here=devices.by_number())
    count = service.delete_many(actor(), [row.id for row in rows])
    return done(ngettext("%(num)d phone is deleted.", "%(num)d phones are deleted.", count), url_for(".index"))


def _unstored(response: Response) -> Response:
    """A page with a password in it is not kept by anybody."""
    response.headers["Cache-Control"] = "no-store"
    return response
