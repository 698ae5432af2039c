"""What may stand in each field of a phone. Pure: no session, no request; every message is for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask_babel import gettext as _

from pbxweb.extensions import conf
from pbxweb.extensions.models import (
    CODECS,
    FORWARDS,
    LANGUAGES,
    ExtensionType,
    Presence,
    Status,
    Taken,
    Transport,
    why_not,
)
from pbxweb.security.errors import Invalid
from pbxweb.security.text import fault
from pbxweb.users.models import is_email, normal_email

PASSWORD = re.compile(r"[!-~]{8,64}")
GROUP = re.compile(r"[A-Za-z0-9_-]{0,20}")
LONGEST_DESTINATION = 80

FORWARD_FIELDS = tuple(f"forward_{when}_{part}" for when in FORWARDS for part in ("enabled", "destination"))
FEATURE_FIELDS = frozenset({"dnd_enabled", *FORWARD_FIELDS})
# What the owner of a phone may change; all else is the administrator's.
OWN_FIELDS = FEATURE_FIELDS | {
    "email", "forward_on_no_answer_timeout", "language", "ring_seconds", "presence_status",
}  # fmt: skip


def camel(name: str) -> str:
    """A field's name on the wire: ``ring_seconds`` is ``ringSeconds``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Wrong(ValueError):
    """One field is wrong; the text says how to mend it."""


def _number(value: Any) -> str:
    text = value.strip(" ") if isinstance(value, str) else ""
    match why_not(text):
        case Taken.SHAPE:
            raise Wrong(_("A number has two to six digits and does not begin with 0."))
        case Taken.PARKING:
            raise Wrong(_("700 to 720 are for parking calls. Choose another number."))
        case Taken.EMERGENCY:
            raise Wrong(_("%(number)s is an emergency number. Choose another number.", number=text))
    return text


def _line(value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise Wrong(_("This has to be a text."))
    text = value.strip()
    problem = fault(value)
    if problem:
        raise Wrong(str(problem))
    if len(text) > longest:
        raise Wrong(_("Use at most %(num)d characters.", num=longest))
    return text


def _display_name(value: Any) -> str:
    text = _line(value, conf.LONGEST_NAME)
    if not text:
        raise Wrong(_("Give the phone a name, for example the person's or the room's."))
    if len(text.encode()) > conf.LONGEST_NAME:
        raise Wrong(_("This name is too long for a phone's display. Shorten it (emoji and accents count more)."))
    return text


def _email(value: Any) -> str:
    text = normal_email(_line("" if value is None else value, 254))
    if text and not is_email(text):
        raise Wrong(_("This is not an e-mail address. Write it like name@example.com."))
    return text


def _password(value: Any) -> str:
    if not isinstance(value, str) or not PASSWORD.fullmatch(value):
        raise Wrong(_("A phone's password has 8 to 64 letters, digits or signs, without spaces and accents."))
    return value


def _codecs(value: Any) -> list[str]:
    names = [str(name).strip().lower() for name in value] if isinstance(value, list | tuple) else []
    if not names:
        raise Wrong(_("Choose at least one codec."))
    if not set(names) <= set(CODECS):
        raise Wrong(_("Known codecs are %(names)s.", names=", ".join(CODECS)))
    if len(set(names)) != len(names):
        raise Wrong(_("Name each codec once."))
    return names


def _language(value: Any) -> str:
    text = value[:2].lower() if isinstance(value, str) else ""
    if text not in LANGUAGES or not re.fullmatch(r"[A-Za-z]{2}([-_][A-Za-z]{2})?", value):
        raise Wrong(_("Choose German (de) or English (en)."))
    return text


def _group(value: Any) -> str:
    text = _line("" if value is None else value, 100)
    if not GROUP.fullmatch(text):
        raise Wrong(_("A pickup group is one word of up to 20 letters, digits, - and _."))
    return text


def _user(value: Any) -> str | None:
    return None if value is None else _line(value, 36) or None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(_("Say yes or no."))
    return value


def _destination(value: Any) -> str | None:
    return None if value is None else _line(value, LONGEST_DESTINATION) or None


def _whole(first: int, last: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not first <= value <= last:
            raise Wrong(_("Write a whole number from %(first)d to %(last)d.", first=first, last=last))
        return value

    return check


def _one_of(choices: Iterable[str]) -> Callable[[Any], str]:
    allowed = [str(choice) for choice in choices]

    def check(value: Any) -> str:
        if value not in allowed:
            raise Wrong(_("Choose one of: %(choices)s.", choices=", ".join(allowed)))
        return str(value)

    return check


RULES: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "display_name": _display_name,
    "user_id": _user,
    "email": _email,
    "extension_type": _one_of(ExtensionType),
    "sip_password": _password,
    "codec_preferences": _codecs,
    "transport": _one_of(Transport),
    "max_concurrent_calls": _whole(1, 100),
    "max_contacts": _whole(1, 20),
    "ring_seconds": _whole(5, 300),
    "dnd_enabled": _flag,
    **{name: _flag if name.endswith("enabled") else _destination for name in FORWARD_FIELDS},
    "forward_on_no_answer_timeout": _whole(5, 300),
    "language": _language,
    "pickup_group": _group,
    "presence_status": _one_of(Presence),
    "status": _one_of(Status),
}


def clean(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of ``given`` (snake_case names, typed values), each as it is stored.

    Raises Invalid that names every wrong field (with ``prefix`` before its name) and how to mend it, KeyError for a
    field that a phone does not have.
    """
    cleaned: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in given.items():
        try:
            cleaned[name] = RULES[name](value)
        except Wrong as error:
            wrong[prefix + camel(name)] = str(error)
    if wrong:
        raise Invalid(wrong)
    return cleaned
