"""The live parts of pages about phones: the state beside a number, and the devices of one phone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import render_template

from pbxweb.extensions import devices, service
from pbxweb.extensions.features import EVENT
from pbxweb.live.bus import Message
from pbxweb.live.feed import CONTACTS, FEATURES
from pbxweb.live.model import ContactChange, Feature
from pbxweb.security.identity import actor
from pbxweb.web.live import EXTENSION, Part

if TYPE_CHECKING:
    from flask import Flask


def numbers(message: Message) -> Iterable[str] | None:
    """The phones that a message is about; None for all."""
    match message.payload:
        case ContactChange(contact=contact):
            return (contact.aor,)
        case Feature(name=name, headers=headers):
            return (headers.get("Extension", ""),) if name == EVENT else ()
    return None


def state(number: str) -> str:
    """``data-live="phone:201"``: online or not, do not disturb, forwarding. Everybody may see it."""
    row = service.by_number(number)
    if row is None:
        return ""
    return render_template("extensions/_state.html", phone=row, here=devices.of(number), live=True)


def signed_in(number: str) -> str:
    """``data-live="phone-devices:201"``: the table of devices, for those who may see it."""
    row = service.by_number(number)
    if row is None or not actor().may("extensions.registrations", row.user_id):
        return ""
    return render_template("extensions/_devices.html", phone=row, here=devices.of(number), live=True)


def init_app(app: Flask) -> None:
    """Make the parts known to the pages' hub, where there is one."""
    hub = app.extensions.get(EXTENSION)
    if hub is not None:
        hub.add(Part("phone", "extensions.list", (CONTACTS, FEATURES), state, numbers))
        hub.add(Part("phone-devices", "extensions.registrations", (CONTACTS,), signed_in, numbers))
