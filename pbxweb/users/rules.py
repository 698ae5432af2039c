"""What a person's data must look like, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from flask_babel import gettext, ngettext

from pbxweb.security import passwords, text
from pbxweb.security.errors import Invalid
from pbxweb.security.roles import Role
from pbxweb.users.models import LANGUAGE, Status, is_email, normal_email

API_NAMES = {"first_name": "firstName", "last_name": "lastName"}


@cache
def timezones() -> tuple[str, ...]:
    """All time zones that this device knows, by their IANA names."""
    from zoneinfo import available_timezones

    return tuple(sorted(z for z in available_timezones() if "/" in z and not z.startswith(("Etc/", "posix", "right"))))


def _email(value: str) -> Any | None:
    if is_email(value):
        return None
    return gettext("This is not an e-mail address. Write it like anna@example.com.")


def _name(value: str) -> Any | None:
    if len(value) > 100:
        return ngettext("Use at most %(num)d character.", "Use at most %(num)d characters.", 100)
    return text.fault(value)


def _role(value: str) -> Any | None:
    return None if value in set(Role) else gettext("Choose one of the roles.")


def _status(value: str) -> Any | None:
    return None if value in set(Status) else gettext("Choose one of the states.")


def _language(value: str) -> Any | None:
    return None if not value or LANGUAGE.fullmatch(value) else gettext("Choose German (de) or English (en).")


def _timezone(value: str) -> Any | None:
    if not value or value == "UTC" or value in timezones():
        return None
    return gettext("This is not a time zone. Write it like Europe/Berlin.")


CHECKS = {
    "email": _email,
    "first_name": _name,
    "last_name": _name,
    "role": _role,
    "status": _status,
    "language": _language,
    "timezone": _timezone,
}


def cleaned(values: Mapping[str, Any]) -> dict[str, str]:
    """``values`` of a person's columns in the form in which they are stored.

    Raises Invalid with every field that is wrong, by its API name.
    """
    texts = {name: "" if value is None else str(value).strip() for name, value in values.items()}
    clean = {name: normal_email(value) if name == "email" else value for name, value in texts.items()}
    faults = {API_NAMES.get(name, name): fault for name, value in clean.items() if (fault := CHECKS[name](value))}
    if faults:
        raise Invalid(faults)
    return clean


def check_password(password: str, *, email: str, first_name: str, last_name: str, field: str = "password") -> None:
    """Raise Invalid for ``field`` unless ``password`` is good enough for this person."""
    fault = passwords.fault(password, (email, first_name, last_name))
    if fault:
        raise Invalid({field: fault})
