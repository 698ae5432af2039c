"""A phone as the API shows it: plain data, never its password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext as _

from pbxweb.extensions import destinations, devices
from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.live.model import Contact
from pbxweb.security.roles import Actor

HIDDEN = "***hidden***"


def briefs(rows: Sequence[Extension], actor: Actor) -> list[dict[str, Any]]:
    """Phones in a list. Where their devices are is shown to those who may see that."""
    known = devices.by_number()
    return [_brief(row, actor, known.get(row.number, [])) for row in rows]


def whole(row: Extension, actor: Actor) -> dict[str, Any]:
    """A phone with everything."""
    return wholes([row], actor)[0]


def wholes(rows: Sequence[Extension], actor: Actor) -> list[dict[str, Any]]:
    """Phones with everything; one query at most."""
    known = devices.by_number()
    forwards = any(row.forward(when).enabled for row in rows for when in FORWARDS)
    everybody = destinations.always_forwarded() if forwards else {}
    return [_whole(row, actor, known.get(row.number, []), everybody) for row in rows]


def forwarding(row: Extension) -> dict[str, Any]:
    """The three forwardings, nested as the contract has them."""
    shown: dict[str, Any] = {}
    for when in FORWARDS:
        forward = row.forward(when)
        shown[when] = {"enabled": forward.enabled, "destination": forward.destination}
    shown["on_no_answer"]["timeout"] = row.forward_on_no_answer_timeout
    return shown


def warnings(row: Extension, everybody: Mapping[str, str]) -> list[str]:
    """What works otherwise than it looks, in words for people. ``everybody``: ``destinations.always_forwarded()``."""
    ring = destinations.circle(row, everybody)
    if not ring:
        return []
    return [_("Calls are forwarded in a circle (%(ring)s). Callers hear an announcement.", ring=" → ".join(ring))]


def state(row: Extension, actor: Actor) -> dict[str, Any]:
    """What the phone does at this moment."""
    calls = devices.snapshot().calls_of(row.number)
    here = devices.of(row.number)
    online = any(contact.online for contact in here)
    if calls:
        doing = "ringing" if all(call.state in ("initiated", "ringing") for call in calls) else "busy"
    else:
        doing = "idle" if online else "offline"
    sees = actor.may("extensions.registrations", row.user_id)
    return {
        "id": row.id,
        "number": row.number,
        "status": row.status,
        "online": online,
        "state": doing,
        "active_calls": len(calls),
        "dnd_enabled": row.dnd_enabled,
        "presence_status": row.presence_status,
        "forwarding": forwarding(row),
        "registrations": devices.registrations(here) if sees else [],
        "last_registered_at": row.last_registered_at,
    }


def _brief(row: Extension, actor: Actor, here: Sequence[Contact]) -> dict[str, Any]:
    sees = actor.may("extensions.registrations", row.user_id)
    owner = row.user
    return {
        "id": row.id,
        "number": row.number,
        "display_name": row.display_name,
        "extension_type": row.extension_type,
        "user": owner and {"id": owner.id, "first_name": owner.first_name, "last_name": owner.last_name},
        "status": row.status,
        "online": any(contact.online for contact in here),
        "dnd_enabled": row.dnd_enabled,
        "presence_status": row.presence_status,
        "registrations": devices.registrations(here) if sees else [],
    }


def _whole(row: Extension, actor: Actor, here: Sequence[Contact], everybody: Mapping[str, str]) -> dict[str, Any]:
    return {
        **_brief(row, actor, here),
        "sip_password": HIDDEN,
        "email": row.email,
        "codec_preferences": row.codec_preferences,
        "transport": row.transport,
        "max_concurrent_calls": row.max_concurrent_calls,
        "max_contacts": row.max_contacts,
        "ring_seconds": row.ring_seconds,
        "language": row.language,
        "pickup_group": row.pickup_group,
        "forwarding": forwarding(row),
        "voicemail": {"enabled": False, "pin": None, "email_notification": False},
        "call_recording": {"policy": "never", "can_record": False},
        "warnings": warnings(row, everybody),
        "last_registered_at": row.last_registered_at,
        "last_user_agent": row.last_user_agent,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
