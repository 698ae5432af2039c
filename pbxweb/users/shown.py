"""A person as pages and API show it: plain data, phones included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pbxweb.users.links import Phone, links
from pbxweb.users.models import User

BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def client_name(client: str) -> str:
    """A browser's or a program's User-Agent header in a few words: "Firefox, Linux"."""
    known = [next((name for mark, name in marks if mark in client), "") for marks in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in known if name) if all(known) else client[:60]


def phones_of(users: Sequence[User]) -> Mapping[str, Sequence[Phone]]:
    """The phones of many people, by the person's id, in one go."""
    return links().phones([user.id for user in users]) if users else {}


def shown(user: User, phones: Mapping[str, Sequence[Phone]]) -> dict[str, Any]:
    """Everything about ``user`` that may leave the house."""
    from pbxweb.web.languages import device_zone

    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": str(user.role),
        "status": str(user.status),
        "language": user.language,
        "timezone": user.timezone or device_zone(),
        "time_profile": None,
        "extensions": [{"id": phone.id, "number": phone.number} for phone in phones.get(user.id, ())],
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_login_at": user.last_login_at,
    }
