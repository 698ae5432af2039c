"""Writing checked fields into a row, with what that means for other rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from pbxweb.asterisk.conf import ConfValueError
from pbxweb.extensions import destinations
from pbxweb.extensions.conf import digest_of
from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.extensions.rendering import conf_of
from pbxweb.extensions.rules import FEATURE_FIELDS, OWN_FIELDS, camel
from pbxweb.security.errors import Conflict, Forbidden, Invalid
from pbxweb.storage.database import db, new_id
from pbxweb.users.models import User


@dataclass
class House:
    """What a change has to know of the other phones: read once a change, inside its transaction.

    ``numbers`` maps each number to its phone's id (``new`` for one that the change makes), ``forget`` collects the
    numbers that are nobody's afterwards.
    """

    numbers: dict[str, str] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    forget: list[str] = field(default_factory=list)


def know(given: Iterable[Mapping[str, Any]], extra: Sequence[str]) -> House:
    """What the change ``given`` has to know; two queries at most. ``extra`` are numbers that it will make."""
    house = House()
    given = list(given)
    forwards = any(one.get(f"forward_{when}_destination") for one in given for when in FORWARDS)
    if extra or forwards:
        house.numbers = {
            number: row_id for row_id, number in db.session.execute(select(Extension.id, Extension.number))
        }
        for number in extra:
            house.numbers.setdefault(number, "new")
    wanted = {str(one["user_id"]) for one in given if one.get("user_id")}
    if wanted:
        house.users = set(db.session.scalars(select(User.id).where(User.id.in_(wanted), User.deleted_at.is_(None))))
    return house


def assign(row: Extension, cleaned: dict[str, Any], house: House, prefix: str) -> None:
    """Write cleaned fields into ``row``. Raises Invalid, Conflict."""
    password = cleaned.pop("sip_password", None)
    number = cleaned.get("number", row.number)
    if row.number and number != row.number:
        _renumber(row, number, house, prefix)
        password = password or row.sip_password
    wrong = _places(cleaned, number, house, prefix)
    if "codec_preferences" in cleaned:
        cleaned["codecs"] = ",".join(cleaned.pop("codec_preferences"))
    before = {name: getattr(row, name) for name in FEATURE_FIELDS}
    for name, value in cleaned.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
    if password is not None:
        row.sip_password = password
        row.sip_digest = digest_of(row.number, password)
    for when in FORWARDS:
        if row.forward(when).enabled and not row.forward(when).destination:
            wrong.setdefault(prefix + camel(f"forward_{when}_destination"), _("Say which number the calls go to."))
    if wrong:
        raise Invalid(wrong)
    if before != {name: getattr(row, name) for name in FEATURE_FIELDS}:
        row.features_pending = True
    try:
        conf_of(row)
    except ConfValueError as error:
        raise Invalid({prefix + camel(error.field): error.reason}) from error


def _places(cleaned: dict[str, Any], number: str, house: House, prefix: str) -> dict[str, str]:
    """Bring destinations into their stored form; what is wrong with those and with the owner."""
    wrong: dict[str, str] = {}
    for when in FORWARDS:
        name = f"forward_{when}_destination"
        if cleaned.get(name):
            try:
                cleaned[name] = destinations.canonical(cleaned[name], number, house.numbers)
            except ValueError as error:
                wrong[prefix + camel(name)] = str(error)
    if cleaned.get("user_id") and cleaned["user_id"] not in house.users:
        wrong[prefix + "userId"] = _("There is no such person (any more).")
    return wrong


def _renumber(row: Extension, number: str, house: House, prefix: str) -> None:
    owner = house.numbers.get(number)
    if owner not in (None, "new", row.id):
        raise Conflict(_("The number %(number)s is in use.", number=number), prefix + "number")
    house.numbers[number] = row.id
    house.numbers.pop(row.number, None)
    house.forget.append(row.number)
    row.features_pending = True
    for other, when in destinations.forwarding_to({row.number}):
        setattr(other, f"forward_{when}_destination", destinations.of_number(number))
        other.features_pending = True


def own_only(row: Extension, cleaned: Mapping[str, Any]) -> None:
    """Raise Forbidden when ``cleaned`` would change more than the owner of a phone may change."""
    for name, value in cleaned.items():
        if name not in OWN_FIELDS and value != getattr(row, name, None):
            raise Forbidden(_("Only an administrator can change this: %(field)s.", field=camel(name)))


def _language() -> str:
    from pbxweb.web.languages import language

    return language()


def fresh() -> Extension:
    """A new row with an id and the columns' own defaults, which the rules look at before it is stored."""
    defaults = {
        column.key: column.default.arg
        for column in Extension.__table__.columns
        if column.default is not None and column.default.is_scalar
    }
    return Extension(**{**defaults, "id": new_id(), "language": _language()})
