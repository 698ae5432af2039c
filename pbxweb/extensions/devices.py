"""The devices that are signed in now, from the live state: no question to Asterisk, no query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from flask import current_app

from pbxweb.live.model import Contact, State

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime

_NOTHING = State()


def snapshot() -> State:
    """What is going on now; nothing where nothing runs beside the web (a command, a test)."""
    runtime: Runtime | None = current_app.extensions.get("pbxweb.runtime")
    return runtime.feed.snapshot() if runtime else _NOTHING


def by_number() -> dict[str, list[Contact]]:
    """All devices by the number that they are signed in as: for lists, in one go."""
    found: dict[str, list[Contact]] = {}
    for contact in snapshot().contacts.values():
        found.setdefault(contact.aor, []).append(contact)
    return found


def of(number: str) -> list[Contact]:
    """The devices that are signed in as ``number``, the reachable ones first."""
    return sorted(snapshot().contacts_of(number), key=lambda one: (not one.online, one.uri))


def registration(contact: Contact) -> dict[str, Any]:
    """A device as the API shows it. Its id stays the same while the device keeps its address."""
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{contact.aor} {contact.uri}")),
        "contact_uri": contact.uri,
        "user_agent": contact.user_agent,
        "ip_address": contact.address,
        "port": contact.port,
        "transport": contact.transport,
        "expires_at": contact.expires,
        "registered_at": contact.registered,
        "reachable": contact.online,
        "round_trip_ms": contact.round_trip_ms,
    }


def registrations(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    """Devices as the API shows them."""
    return [registration(contact) for contact in contacts]
