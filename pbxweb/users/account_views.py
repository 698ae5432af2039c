"""The pages of one's own account: signing in and out, the one-time link, the profile."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, request, session, url_for
from flask_babel import gettext, ngettext
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from pbxweb.security import sessions
from pbxweb.security.csrf import Cookie
from pbxweb.security.errors import Conflict, Forbidden, Invalid, SignInFailed, TooMany
from pbxweb.security.guard import public, requires
from pbxweb.security.identity import actor, current_actor
from pbxweb.security.limits import address, limited
from pbxweb.users import accounts, rules, service
from pbxweb.users.accounts import Caller
from pbxweb.users.forms import ROLES, ChangePasswordForm, NewPasswordForm, PersonForm, SignInForm
from pbxweb.users.models import User
from pbxweb.users.shown import client_name, phones_of
from pbxweb.users.visitors import Visitor, by_secret, visitor
from pbxweb.web.errors import refused
from pbxweb.web.pages import done, invalid, page, safe_target, take_refusal

account = Blueprint("users", __name__)
KNOWN_FOR = 365 * 24 * 3600
KNOWN_PEOPLE = 5


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or b"", salt="known-browser")


def _known_cookie() -> str:
    interface = current_app.session_interface
    if not isinstance(interface, Cookie):
        raise TypeError("the visit's cookie is not set up")
    return f"{interface.get_cookie_name(current_app)}_known"


def _known_as() -> list[str]:
    try:
        known = _signer().loads(request.cookies.get(_known_cookie(), ""))
    except BadSignature:
        return []
    return [str(user_id) for user_id in known] if isinstance(known, list) else []


def _caller() -> Caller:
    return Caller("page", address(), request.remote_addr or "", request.user_agent.string, _known_as())


def _enter(user: User, password: str, target: str) -> Response:
    """Sign ``user`` in on this browser with a cookie that nobody has seen before."""
    from flask_login import login_user

    user_id = user.id
    opened = accounts.open_page(user, password, _caller())
    here = by_secret(opened.secret)
    if here is None:
        raise SignInFailed(gettext("The e-mail address or the password is wrong."))
    session.clear()
    session.permanent = True
    login_user(here)
    response = redirect(target, 303)
    known = [user_id, *(other for other in _known_as() if other != user_id)][:KNOWN_PEOPLE]
    response.set_cookie(
        _known_cookie(),
        str(_signer().dumps(known)),
        max_age=KNOWN_FOR,
        secure=current_app.session_interface.get_cookie_secure(current_app),
        httponly=True,
        samesite="Lax",
    )
    return response


@account.get("/login")
@public
def login() -> Response:
    """The sign-in page."""
    target = safe_target(request.args.get("next"))
    if current_actor() is not None:
        return redirect(target)
    return page("users/login.html", form=SignInForm(formdata=None, next=target))


@account.post("/login")
@public
@limited("login")
def check_login() -> Response:
    """Sign in."""
    form = SignInForm()
    if not form.validate():
        return invalid("users/login.html", form=form)
    try:
        user = accounts.authenticate(form.email.data, form.password.data, _caller())
    except (SignInFailed, Forbidden, TooMany) as refusal:
        return _not_yet(form, refusal)
    return _enter(user, form.password.data, safe_target(form.next.data))


def _not_yet(form: SignInForm, refusal: SignInFailed | Forbidden | TooMany) -> Response:
    """The sign-in page again, and why."""
    take_refusal(form, refusal)
    form.password.data = ""
    status = 422 if isinstance(refusal, SignInFailed) else refusal.status
    response = page("users/login.html", form=form, status=status)
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


@account.errorhandler(TooMany)
def too_many(refusal: TooMany) -> Any:
    """Beyond the limit of the address: the sign-in page says when to try again."""
    return _not_yet(SignInForm(), refusal) if request.endpoint == "users.check_login" else refused(refusal)


@account.post("/logout")
@requires("profile.read")
def logout() -> Response:
    """Sign out of this browser."""
    from flask_login import logout_user

    here = visitor()
    accounts.sign_out(actor(), here.sign_in_id)
    logout_user()
    session.clear()
    return done(gettext("You are signed out."), url_for("users.login"))


@account.route("/invitation/<token>", methods=["GET", "POST"])
@public
@limited("login")
def invitation(token: str) -> Response:
    """Choose the password with a one-time link, and be signed in."""
    user = accounts.invited(token)
    form = NewPasswordForm()
    if form.is_submitted() and form.validate():
        try:
            accepted = accounts.accept_invitation(token, form.password.data, _caller())
            return _enter(accepted, form.password.data, "/")
        except Invalid as refusal:
            take_refusal(form, refusal)
            user = accounts.invited(token)
    shown: dict[str, Any] = {"form": form, "user": user}
    return invalid("users/invitation.html", **shown) if form.is_submitted() else page("users/invitation.html", **shown)


def _profile(status: int = 200, **forms: Any) -> Response:
    here: Visitor = visitor()
    user = service.get_user(actor(), here.user_id)
    about = forms.get("about")
    if about is None:
        about = PersonForm(formdata=None, obj=user)
        about.language.data = user.language[:2]
    return page(
        "users/profile.html",
        status=status,
        user=user,
        about_form=about,
        password_form=forms.get("password") or ChangePasswordForm(formdata=None),
        sign_ins=sessions.of_user(user.id),
        here=here.sign_in_id,
        client_name=client_name,
        phones=phones_of([user]).get(user.id, ()),
        roles=ROLES,
        timezones=rules.timezones(),
    )


@account.get("/profile")
@requires("profile.read")
def profile() -> Response:
    """One's own profile."""
    return _profile()


@account.post("/profile")
@requires("profile.update")
def save_profile() -> Response:
    """Change one's own names, e-mail address, language and time zone."""
    form = PersonForm()
    here = visitor()
    if form.validate():
        names = ("email", "first_name", "last_name", "language", "timezone")
        data = {name: form[name].data for name in names}
        if data["language"] == here.language[:2]:
            data["language"] = here.language
        try:
            service.update_user(actor(), here.user_id, data)
            return done(gettext("Your profile is saved."), url_for("users.profile"))
        except (Invalid, Conflict) as refusal:
            take_refusal(form, refusal)
    return _profile(422, about=form)


@account.post("/profile/password")
@requires("profile.update")
@limited("password")
def change_password() -> Response:
    """Change one's own password; every other browser is signed out, and this one's cookie changes."""
    form = ChangePasswordForm()
    here = visitor()
    if form.validate():
        try:
            accounts.change_password(actor(), here.user_id, form.current_password.data, form.new_password.data)
            response = _enter(service.get_user(actor(), here.user_id), form.new_password.data, url_for("users.profile"))
            flash(gettext("Your new password is set. All other browsers and programs are signed out."), "success")
            return response
        except Invalid as refusal:
            take_refusal(form, refusal)
    return _profile(422, password=form)


@account.post("/profile/sign-out")
@requires("profile.update")
def sign_out_others() -> Response:
    """Sign out everywhere else."""
    here = visitor()
    ended = accounts.sign_out_everywhere(actor(), here.user_id, here.sign_in_id)
    message = ngettext("%(num)d sign-in ended.", "%(num)d sign-ins ended.", ended)
    return done(message, url_for("users.profile"))


@account.post("/profile/sign-out/<uuid:sign_in_id>")
@requires("profile.update")
def sign_out_one(sign_in_id: Any) -> Response:
    """Sign one browser or program out."""
    accounts.sign_out(actor(), str(sign_in_id))
    return done(gettext("That browser is signed out."), url_for("users.profile"))
