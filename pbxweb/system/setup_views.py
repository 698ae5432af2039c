"""The pages of the first run. Each can be left and come back to; what is done already is not asked again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from flask import Blueprint, abort, current_app, redirect, request, session, url_for
from flask_babel import gettext
from sqlalchemy.orm import undefer
from werkzeug.wrappers import Response

from pbxweb.extensions import codes
from pbxweb.extensions.models import Extension
from pbxweb.extensions.signin import sign_in
from pbxweb.security.errors import Conflict, Forbidden, Invalid
from pbxweb.security.guard import public, requires
from pbxweb.security.identity import actor, current_actor
from pbxweb.security.limits import address, limited
from pbxweb.security.roles import Role
from pbxweb.storage.database import db
from pbxweb.system import house, overview, setup
from pbxweb.system.forms import AdministratorForm, CodeForm, LanguageForm, PhonesForm, PlaceForm, filled
from pbxweb.system.setup import Step
from pbxweb.users import accounts
from pbxweb.users.models import User
from pbxweb.users.visitors import by_secret
from pbxweb.web.languages import COOKIE, LANGUAGES, language
from pbxweb.web.pages import done, page, take_refusal
from pbxweb.web.views import YEAR

P = ParamSpec("P")

views = Blueprint("setup", __name__, url_prefix="/setup")
PAGES = {Step.PLACE: "setup.place", Step.PHONES: "setup.phones", Step.SHEET: "setup.sheet"}


def _before_anybody(view: Callable[P, Response]) -> Callable[P, Response]:
    """The view exists only while nobody can sign in, and (all but the first) only with the right code."""

    @wraps(view)
    def opened(*args: P.args, **kwargs: P.kwargs) -> Response:
        if setup.has_people():
            return _onwards()
        if request.endpoint != "setup.code" and not setup.is_code(session.get("setup_code", "")):
            return redirect(url_for("setup.code"))
        return view(*args, **kwargs)

    return opened


def _onwards() -> Response:
    """To where the first run stands; nowhere, when it is over."""
    step = setup.step()
    person = current_actor()
    if step is Step.DONE or (person is not None and person.role is not Role.ADMIN):
        abort(404)
    return redirect(url_for(PAGES[step]))


def _show(template: str, number: int, status: int = 200, **shown: Any) -> Response:
    return page(f"system/setup_{template}.html", status=status, step=number, **shown)


@views.get("/")
@public
def index() -> Response:
    """To the step that comes next."""
    return _onwards() if setup.has_people() else redirect(url_for("setup.code"))


@views.get("/code")
@public
@_before_anybody
def code() -> Response:
    """The page that asks for the code."""
    return _show("code", 1, form=CodeForm(formdata=None))


@views.post("/code")
@public
@limited("login")
def check_code() -> Response:
    """Compare the code."""
    if setup.has_people():
        return _onwards()
    form = CodeForm()
    if form.validate():
        try:
            setup.demand_code(form.code.data)
        except Forbidden as refusal:
            form.code.errors = [str(refusal)]
        else:
            session["setup_code"] = form.code.data
            return redirect(url_for("setup.choose_language"), 303)
    return _show("code", 1, 422, form=form)


@views.route("/language", methods=["GET", "POST"])
@public
@_before_anybody
def choose_language() -> Response:
    """The language of pages and announcements."""
    form = LanguageForm(data={"language": language()})
    if form.is_submitted() and form.validate():
        response = redirect(url_for("setup.account"), 303)
        response.set_cookie(
            COOKIE, form.language.data, max_age=YEAR, secure=request.is_secure, httponly=True, samesite="Lax"
        )
        return response
    return _show("language", 2, 422 if form.is_submitted() else 200, form=form)


@views.route("/account", methods=["GET", "POST"])
@public
@_before_anybody
def account() -> Response:
    """The first administrator, who is signed in at once."""
    form = AdministratorForm()
    if form.is_submitted() and form.validate():
        given = {name: form[name].data or "" for name in ("email", "password", "first_name", "last_name")}
        chosen = language()
        try:
            user = setup.make_administrator(
                session["setup_code"], given | {"language": chosen}, request.remote_addr or ""
            )
        except (Invalid, Conflict) as refusal:
            take_refusal(form, refusal)
        else:
            return _enter(user, given["password"], url_for("setup.place"))
    return _show("account", 3, 422 if form.is_submitted() else 200, form=form)


def _enter(user: User, password: str, target: str) -> Response:
    from flask_login import login_user

    caller = accounts.Caller("page", address(), request.remote_addr or "", request.user_agent.string)
    opened = accounts.open_page(user, password, caller)
    session.clear()
    session.permanent = True
    login_user(by_secret(opened.secret))
    return redirect(target, 303)


@views.route("/place", methods=["GET", "POST"])
@requires("system.settings")
def place() -> Response:
    """Country, area code, number plan."""
    step = setup.step()
    if step is Step.DONE:
        abort(404)
    now = house.house()
    if not now.country:
        now = replace(now, country=_guessed_country())
    form = PlaceForm() if request.method == "POST" else filled(PlaceForm, now)
    if form.is_submitted() and form.validate():
        chosen = language()
        values = {name: form[name].data for name in ("country", "area_code", "digits")}
        try:
            house.decide(actor(), values | {"language": chosen if chosen in LANGUAGES else "en"})
        except Invalid as refusal:
            take_refusal(form, refusal)
        else:
            return redirect(url_for("setup.phones"), 303)
    return _show("place", 4, 422 if form.is_submitted() else 200, form=form)


def _guessed_country() -> str:
    """The country that the browser speaks of (``de-CH``), else the one of the language."""
    for tag in request.accept_languages.values():
        region = tag.replace("_", "-").partition("-")[2].upper()
        if len(region) == 2:
            return region
    return {"de": "DE"}.get(language(), "")


@views.route("/phones", methods=["GET", "POST"])
@requires("system.settings")
def phones() -> Response:
    """How many phones to begin with."""
    step = setup.step()
    if step not in (Step.PLACE, Step.PHONES):
        return _onwards()
    form = PhonesForm() if request.method == "POST" else PhonesForm(formdata=None)
    if form.is_submitted() and form.validate():
        try:
            setup.make_phones(actor(), form.count.data)
        except Conflict:
            return redirect(url_for("setup.sheet"), 303)
        except Invalid as refusal:
            take_refusal(form, refusal)
        else:
            return redirect(url_for("setup.sheet"), 303)
    return _show("phones", 5, 422 if form.is_submitted() else 200, form=form, digits=house.house().digits)


@views.get("/sheet")
@requires("system.settings")
def sheet() -> Response:
    """Every phone's sign-in data, once, and which of them are signed in by now."""
    if setup.step() is not Step.SHEET:
        return _onwards()
    settings = current_app.extensions["pbxweb.settings"]
    rows = db.session.scalars(_with_passwords()).all()
    signed = [(row, sign_in(row, codes.host(), settings, row.sip_password)) for row in rows]
    cards = [{"data": data, "codes": codes.to_scan(row.id, data)} for row, data in signed]
    return _show("sheet", 6, cards=cards, online=overview.snapshot().online())


def _with_passwords() -> Any:
    from sqlalchemy import select

    return (
        select(Extension).options(undefer(Extension.sip_password)).order_by(Extension.number).limit(setup.MOST_PHONES)
    )


@views.post("/finish")
@requires("system.settings")
def finish() -> Response:
    """The first run is over."""
    if setup.step() is Step.DONE:
        abort(404)
    setup.finish(actor())
    return done(gettext("Your telephone system is ready."), url_for("system.dashboard"))
