"""``/api/v1/extensions``: one phone at a time. Several at once are in ``bulk_api.py``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.api.paging import page_of
from pbxweb.extensions import devices, listing, secrets, service
from pbxweb.extensions.listing import Wanted
from pbxweb.extensions.schemas import (
    ExtensionChange,
    ExtensionIn,
    ExtensionOut,
    ExtensionPage,
    ExtensionQuery,
    PasswordIn,
    PasswordOut,
    RegistrationsOut,
    StateOut,
    flat,
)
from pbxweb.extensions.shown import briefs, state, whole
from pbxweb.security.guard import demand, requires
from pbxweb.security.identity import actor
from pbxweb.security.limits import limited

extensions = blueprint("extensions", "Phones and their numbers: sign-in, forwardings, do not disturb, devices.")


@extensions.route("", methods=["GET"])
@requires("extensions.list")
@extensions.arguments(ExtensionQuery, location="query")
@extensions.response(200, ExtensionPage)
def list_extensions(query: dict[str, Any]) -> dict[str, Any]:
    """List phones

    `search` looks into number, name, e-mail address and the owner's name. Devices are shown to those who may see them.
    """
    who = actor()
    found = listing.find(who, Wanted(**query))
    return page_of(briefs(found.rows, who), found.total, query["page"], query["limit"])


@extensions.route("", methods=["POST"])
@requires("extensions.create")
@extensions.arguments(ExtensionIn)
@extensions.response(201, ExtensionOut)
@refusals(extensions, 409)
def create_extension(data: dict[str, Any]) -> dict[str, Any]:
    """Add a phone

    It can sign in and be called when the answer arrives. Without `sipPassword` one is generated; only this answer
    carries it in the clear.
    """
    who = actor()
    new = service.create(who, flat(data))
    shown = whole(new.extension, who)
    return shown if data.get("sip_password") else {**shown, "sip_password": new.password}


@extensions.route("/<uuid:extension_id>", methods=["GET"])
@requires("extensions.read")
@extensions.response(200, ExtensionOut)
def get_extension(extension_id: UUID) -> dict[str, Any]:
    """Show a phone"""
    who = actor()
    return whole(service.get(who, str(extension_id)), who)


def _update(data: dict[str, Any], extension_id: UUID) -> dict[str, Any]:
    who = actor()
    return whole(service.update(who, str(extension_id), flat(data)), who)


@extensions.route("/<uuid:extension_id>", methods=["PATCH"])
@requires("extensions.update")
@extensions.arguments(ExtensionChange)
@extensions.response(200, ExtensionOut)
@refusals(extensions, 409)
def patch_extension(data: dict[str, Any], extension_id: UUID) -> dict[str, Any]:
    """Change a phone

    What is left out stays. Live in Asterisk when the answer arrives. Owners may change do not disturb, forwardings,
    ring time, language, presence and e-mail address of their own phone.
    """
    return _update(data, extension_id)


@extensions.route("/<uuid:extension_id>", methods=["PUT"])
@requires("extensions.update")
@extensions.arguments(ExtensionChange)
@extensions.response(200, ExtensionOut)
@refusals(extensions, 409)
def put_extension(data: dict[str, Any], extension_id: UUID) -> dict[str, Any]:
    """Change a phone (the same as PATCH)"""
    return _update(data, extension_id)


@extensions.route("/<uuid:extension_id>", methods=["DELETE"])
@requires("extensions.delete")
@extensions.response(204)
def delete_extension(extension_id: UUID) -> None:
    """Delete a phone

    Its number is free at once; forwardings to it are switched off.
    """
    service.delete(actor(), str(extension_id))


@extensions.route("/<uuid:extension_id>/registrations", methods=["GET"])
@requires("extensions.registrations")
@extensions.response(200, RegistrationsOut)
def get_registrations(extension_id: UUID) -> dict[str, Any]:
    """Show the devices that are signed in"""
    who = actor()
    row = service.get(who, str(extension_id))
    demand(who, "extensions.registrations", row.user_id)
    return {"data": devices.registrations(devices.of(row.number))}


@extensions.route("/<uuid:extension_id>/status", methods=["GET"])
@requires("extensions.read")
@extensions.response(200, StateOut)
def get_status(extension_id: UUID) -> dict[str, Any]:
    """Show what a phone does now"""
    who = actor()
    return state(service.get(who, str(extension_id)), who)


@extensions.route("/<uuid:extension_id>/password", methods=["POST"])
@requires("extensions.password")
@limited("password")
@extensions.arguments(PasswordIn)
@extensions.response(200, PasswordOut)
def post_password(data: dict[str, Any], extension_id: UUID) -> dict[str, Any]:
    """Set a new password, or show the present one

    Sets `sipPassword`, or a generated one when it is left out: the devices must sign in anew. With `reveal` the present
    password is shown instead, which needs the password of your own account in `accountPassword`.
    """
    who = actor()
    key = str(extension_id)
    if data["reveal"]:
        password = secrets.reveal_password(who, key, data["account_password"])
    else:
        password = secrets.new_password(who, key, data["sip_password"])
    return {"id": key, "number": service.get(who, key).number, "sip_password": password}
