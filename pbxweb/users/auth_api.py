"""``/api/v1/auth``: tokens in exchange for a password, and one's own profile."""

from __future__ import annotations

from typing import Any

from flask import request

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.security.guard import public, requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import address, limited
from pbxweb.security.tokens import Pair
from pbxweb.users import accounts, service
from pbxweb.users.accounts import Caller
from pbxweb.users.schemas import Credentials, LoginOut, LogoutIn, PasswordChange, RefreshIn, TokensOut, UserOut
from pbxweb.users.shown import phones_of, shown
from pbxweb.users.visitors import visitor

auth = blueprint("auth", "Signing in and out, and one's own profile.")


def _caller() -> Caller:
    return Caller("api", address(), request.remote_addr or "", request.user_agent.string)


@auth.route("/login", methods=["POST"])
@public
@limited("login")
@auth.arguments(Credentials)
@auth.response(200, LoginOut)
@refusals(auth, 401, 403)
def login(data: dict[str, str]) -> dict[str, Any]:
    """Sign in

    Five tries a minute from one address. The access token is good for 15 minutes, the refresh token for 7 days.
    """
    caller = _caller()
    user = accounts.authenticate(data["email"], data["password"], caller)
    person = {name: getattr(user, name) for name in ("id", "email", "first_name", "last_name", "role")}
    return {"user": person, "tokens": accounts.open_api(user, data["password"], caller)}


@auth.route("/refresh", methods=["POST"])
@public
@auth.arguments(RefreshIn)
@auth.response(200, TokensOut)
@refusals(auth, 401)
def refresh(data: dict[str, str]) -> Pair:
    """Get the next pair of tokens

    A refresh token is good for one use. Using one again ends the whole sign-in, because somebody must have copied it.
    """
    return accounts.refresh(data["refresh_token"], _caller())


@auth.route("/logout", methods=["POST"])
@requires("profile.read")
@auth.arguments(LogoutIn, required=False)
@auth.response(204)
def logout(_data: dict[str, str]) -> None:
    """Sign out

    Ends the sign-in with its access and refresh tokens at once.
    """
    accounts.sign_out(actor(), visitor().sign_in_id)


def _own() -> dict[str, Any]:
    user = service.get_user(actor(), visitor().user_id)
    return shown(user, phones_of([user]))


@auth.route("/profile", methods=["GET"])
@requires("profile.read")
@auth.response(200, UserOut)
def profile() -> dict[str, Any]:
    """Show one's own profile"""
    return _own()


@auth.route("/me", methods=["GET"])
@requires("profile.read")
@auth.response(200, UserOut)
def me() -> dict[str, Any]:
    """Show one's own profile (the same as /auth/profile)"""
    return _own()


@auth.route("/password", methods=["POST"])
@requires("profile.update")
@limited("password")
@auth.arguments(PasswordChange)
@auth.response(204)
def change_password(data: dict[str, str]) -> None:
    """Change one's own password

    Every other sign-in of this person ends.
    """
    here = visitor()
    accounts.change_password(actor(), here.user_id, data["current_password"], data["new_password"], here.sign_in_id)
