"""``/api/v1/users``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.api.paging import page_of
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.users import service
from pbxweb.users.models import User
from pbxweb.users.schemas import InvitationOut, UserChange, UserIn, UserMade, UserOut, UserPage, UserQuery
from pbxweb.users.shown import phones_of, shown

users = blueprint("users", "People: who they are, what they may do, and whether they can sign in.")


def _one(user: User) -> dict[str, Any]:
    return shown(user, phones_of([user]))


def _invitation(link: service.Link) -> dict[str, Any]:
    url = url_for("users.invitation", token=link.token, _external=True)
    return {"url": url, "expires_at": link.expires_at}


@users.route("", methods=["GET"])
@requires("users.list")
@users.arguments(UserQuery, location="query")
@users.response(200, UserPage)
def list_users(query: dict[str, Any]) -> dict[str, Any]:
    """List people

    By last name; `search` looks into names and e-mail addresses.
    """
    found = service.list_users(actor(), **query)
    phones = phones_of(found.users)
    return page_of([shown(user, phones) for user in found.users], found.total, query["page"], query["limit"])


@users.route("", methods=["POST"])
@requires("users.create")
@users.arguments(UserIn)
@users.response(201, UserMade)
@refusals(users, 409)
def create_user(data: dict[str, Any]) -> dict[str, Any]:
    """Add a person

    With a password the person can sign in at once. Without one the answer carries a one-time link, shown this once,
    with which the person chooses it.
    """
    if "password" in data:
        return _one(service.create_user(actor(), **data))
    user, link = service.invite_user(actor(), **data)
    return {**_one(user), "invitation": _invitation(link)}


@users.route("/<uuid:user_id>", methods=["GET"])
@requires("users.read")
@users.response(200, UserOut)
def get_user(user_id: UUID) -> dict[str, Any]:
    """Show a person"""
    return _one(service.get_user(actor(), str(user_id)))


def _update(data: dict[str, Any], user_id: UUID) -> dict[str, Any]:
    return _one(service.update_user(actor(), str(user_id), data))


@users.route("/<uuid:user_id>", methods=["PATCH"])
@requires("users.update")
@users.arguments(UserChange)
@users.response(200, UserOut)
@refusals(users, 409)
def patch_user(data: dict[str, Any], user_id: UUID) -> dict[str, Any]:
    """Change a person

    Everybody may change their own names, e-mail address, language and time zone; the rest is for administrators.
    """
    return _update(data, user_id)


@users.route("/<uuid:user_id>", methods=["PUT"])
@requires("users.update")
@users.arguments(UserChange)
@users.response(200, UserOut)
@refusals(users, 409)
def put_user(data: dict[str, Any], user_id: UUID) -> dict[str, Any]:
    """Change a person (the same as PATCH)"""
    return _update(data, user_id)


@users.route("/<uuid:user_id>", methods=["DELETE"])
@requires("users.delete")
@users.response(204)
@refusals(users, 409)
def delete_user(user_id: UUID) -> None:
    """Delete a person

    Signed out everywhere at once; the history keeps the name.
    """
    service.delete_user(actor(), str(user_id))


@users.route("/<uuid:user_id>/invitation", methods=["POST"])
@requires("users.create")
@users.response(201, InvitationOut)
@refusals(users, 409)
def new_link(user_id: UUID) -> dict[str, Any]:
    """Make a new one-time link

    The old password and all sign-ins of the person end at once.
    """
    _, link = service.new_link(actor(), str(user_id))
    return _invitation(link)
