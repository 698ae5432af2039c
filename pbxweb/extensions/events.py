"""The channel ``presence`` of the API's events: phones that come, go, or are not to be disturbed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from pbxweb.api.events import Channel, Event
from pbxweb.extensions import devices
from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.extensions.parts import numbers
from pbxweb.live.bus import Message
from pbxweb.live.feed import CONTACTS, FEATURES
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db

FORWARD_NAMES = {"unconditional": "unconditional", "on_busy": "onBusy", "on_no_answer": "onNoAnswer"}


class PresenceListener:
    """One client's ear for phones; what it was told already is not told again."""

    def __init__(self) -> None:
        self._told: dict[str, Event] = {}

    def begin(self, actor: Actor) -> Iterable[Event]:
        """Remembers how every phone is and tells nothing: the list of phones says it."""
        for row in db.session.scalars(select(Extension)):
            self._told[row.id] = presence(row, actor)
        return ()

    def tell(self, actor: Actor, messages: Sequence[Message]) -> Iterable[Event]:
        """One event for each phone that is not as it was."""
        touched = {number for message in messages for number in numbers(message) or ()}
        news = []
        for row in db.session.scalars(select(Extension).where(Extension.number.in_(touched)).order_by("number")):
            now = presence(row, actor)
            if now != self._told.get(row.id):
                self._told[row.id] = now
                news.append({"type": "PRESENCE_UPDATED", "data": now})
        db.session.rollback()
        return news


def presence(row: Extension, actor: Actor) -> Event:
    """How a phone is: its forwardings and devices only for those who may see them."""
    here = devices.of(row.number)
    shown: Event = {
        "extensionId": row.id,
        "number": row.number,
        "displayName": row.display_name,
        "online": any(contact.online for contact in here),
        "dndEnabled": row.dnd_enabled,
        "presenceStatus": row.presence_status,
    }
    if actor.may("extensions.read", row.user_id):
        shown["forwarding"] = {
            FORWARD_NAMES[when]: {"enabled": forward.enabled, "destination": forward.destination}
            for when in FORWARDS
            for forward in (row.forward(when),)
        }
    if actor.may("extensions.registrations", row.user_id):
        shown["registrations"] = [
            {"contactUri": contact.uri, "ipAddress": contact.address, "reachable": contact.online} for contact in here
        ]
    return shown


CHANNEL = Channel("presence", "extensions.list", (CONTACTS, FEATURES), PresenceListener)
