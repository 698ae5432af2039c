"""Where the house stands and how it counts: language, country, area code, number plan, tones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from pbxweb.changes import changing
from pbxweb.security.errors import Invalid
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db
from pbxweb.system.conf import LANGUAGES, TONE_ZONES
from pbxweb.system.models import SystemSetting

DIGITS = (2, 3, 4)
# Countries whose tones go by another name than their own code, or that sound like a neighbour's.
ZONES = {"GB": "uk", "IE": "uk", "CA": "us", "LI": "ch", "LU": "de"}


@dataclass(frozen=True)
class House:
    """The decisions. ``country`` is an ISO code, empty until it was chosen; ``area_code`` is without its zero.

    ``digits``: how long internal numbers are. ``tone_zone``: whose dial and busy tones are heard. ``setup`` is when the
    first run was finished (ISO, UTC), empty before.
    """

    language: str = "en"
    country: str = ""
    area_code: str = ""
    digits: int = 3
    tone_zone: str = "us"
    setup: str = ""


NAMES = frozenset(field.name for field in fields(House))


@cache
def _everything() -> Any:
    return select(SystemSetting.id, SystemSetting.value)


def stored(session: Session) -> House:
    """The decisions as they are stored; a default for each that was not made yet."""
    rows = session.execute(_everything()).all()
    return House(**{key: json.loads(value) for key, value in rows if key in NAMES})


def house() -> House:
    """The decisions, read in this request's session."""
    return stored(db.session())


@lru_cache(maxsize=4)
def countries(language: str) -> tuple[tuple[str, str], ...]:
    """Every country with its telephone code, as (ISO code, ``Germany (+49)``), sorted by its name in ``language``."""
    import phonenumbers
    from babel import Locale

    names = Locale.parse(language).territories
    known = [(names[code], code) for code in phonenumbers.SUPPORTED_REGIONS if code in names]
    known.sort(key=lambda pair: _sortable(pair[0]))
    return tuple((code, f"{name} (+{phonenumbers.country_code_for_region(code)})") for name, code in known)


def _sortable(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFKD", text).casefold()


def zone_of(country: str) -> str:
    """The tones that people in ``country`` know; the American ones where Asterisk has none of it."""
    zone = ZONES.get(country, country.lower())
    return zone if zone in TONE_ZONES else "us"


def cleaned(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` (names of House) as it is stored. Raises Invalid with every field that is wrong."""
    import phonenumbers

    wrong: dict[str, str] = {}
    clean: dict[str, Any] = {}
    for name, value in given.items():
        text = str(value if value is not None else "").strip()
        if name == "language" and text not in LANGUAGES:
            wrong[name] = gettext("Choose German (de) or English (en).")
        elif name == "country" and text.upper() not in phonenumbers.SUPPORTED_REGIONS:
            wrong[name] = gettext("Choose a country from the list.")
        elif name == "area_code" and not _is_area_code(text):
            wrong["areaCode"] = gettext("Write the area code in digits, like 030. Leave it empty if there is none.")
        elif name == "digits" and text not in map(str, DIGITS):
            wrong["numberPlan"] = gettext("Choose two, three or four digits.")
        elif name == "tone_zone" and text not in TONE_ZONES:
            wrong["toneZone"] = gettext("Choose one of the listed tones.")
        else:
            clean[name] = _stored_form(name, text)
    if wrong:
        raise Invalid(wrong)
    return clean


def _is_area_code(text: str) -> bool:
    digits = _bare(text)
    return not digits or (digits.isascii() and digits.isdigit() and len(digits) <= 6)


def _bare(text: str) -> str:
    return "".join(c for c in text if c not in " -/()").lstrip("0")


def _stored_form(name: str, text: str) -> Any:
    match name:
        case "digits":
            return int(text)
        case "country":
            return text.upper()
        case "area_code":
            return _bare(text)
    return text


def decide(actor: Actor, given: Mapping[str, Any]) -> House:
    """Store decisions (names of House, ``setup`` left out) and make them live. Out: all decisions as they are now.

    A country that is chosen without tones brings its own. Raises Forbidden, Invalid, and what every change raises.
    """
    demand(actor, "system.settings")
    clean = cleaned({name: value for name, value in given.items() if name in NAMES - {"setup"}})
    if "country" in clean:
        clean.setdefault("tone_zone", zone_of(clean["country"]))
    return keep(actor, "settings.update", clean)


def keep(actor: Actor, action: str, values: Mapping[str, Any]) -> House:
    """Store ``values``, which are good, as one change."""
    with changing(actor, action, "settings"):
        known = {row.id: row for row in db.session.scalars(select(SystemSetting))}
        for name, value in values.items():
            text = json.dumps(value)
            if name not in known:
                db.session.add(SystemSetting(id=name, value=text))
            elif known[name].value != text:
                known[name].value = text
        return replace(House(**{k: json.loads(r.value) for k, r in known.items() if k in NAMES}), **values)


def shown(decisions: House) -> dict[str, Any]:
    """The decisions as plain data, for forms and the API."""
    return asdict(decisions)
