"""Phones as places where a call can go, and where a phone's own calls are forwarded to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import or_, select

from pbxweb.destinations import Destination, Destinations, Kind
from pbxweb.extensions.models import FORWARDS, KIND, NUMBER, Extension, Status, loop
from pbxweb.storage.database import db

CONTEXT = "pbxweb-internal"


def _place(number: str, name: str) -> Destination:
    return Destination(KIND, number, f"{number} – {name}", CONTEXT, number)


def _choices() -> Iterable[Destination]:
    query = select(Extension.number, Extension.display_name).where(Extension.status == Status.ACTIVE)
    return [_place(number, name) for number, name in db.session.execute(query.order_by(Extension.number))]


def _find(number: str) -> Destination | None:
    if not NUMBER.fullmatch(number):
        return None
    name = db.session.scalar(select(Extension.display_name).where(Extension.number == number))
    return None if name is None else _place(number, name)


def kind() -> Kind:
    """The kind ``extension`` for the house's registry."""
    return Kind(KIND, lazy_gettext("Phone"), _choices, _find)


def of_number(number: str) -> str:
    """A phone's number as a destination: ``extension:202``."""
    return f"{KIND}:{number}"


def canonical(text: str, number: str, known: Collection[str]) -> str:
    """``text`` (``202``, ``extension:202``) as the destination of a forwarding of the phone ``number``.

    ``known`` are the numbers that exist. Raises ValueError with a sentence for people.
    """
    key, separator, value = text.partition(":")
    value = value.strip() if separator else key.strip()
    if key == "voicemail":
        raise ValueError(_("There are no voicemail boxes yet. Forward to a phone's number instead."))
    if not separator or key == KIND:
        if value == number:
            raise ValueError(_("A phone cannot forward to itself."))
        if value in known:
            return of_number(value)
    found = None if key == KIND else _registry().find(text)
    if found is None or found.context != CONTEXT or not found.exten.isdigit():
        raise ValueError(_("There is no phone with the number %(number)s.", number=value[:40]))
    return str(found)


def dialled(destination: str | None) -> str:
    """What Asterisk dials for a destination: ``202`` for ``extension:202``; empty where there is no such place."""
    if not destination:
        return ""
    key, _colon, value = destination.partition(":")
    if key == KIND:
        return value
    found = _registry().find(destination)
    return found.exten if found else ""


def of_dialled(number: str, known: Collection[str]) -> str | None:
    """The destination that a phone meant with the digits ``number``; None for none."""
    if not number:
        return None
    if number in known:
        return of_number(number)
    found = _registry().find(number)
    return str(found) if found else of_number(number)


def forwarding_to(gone: Collection[str]) -> Iterator[tuple[Extension, str]]:
    """The phones with a forwarding (on or off) to one of the numbers, and which of its forwardings it is."""
    wanted = [of_number(number) for number in gone]
    columns = {when: getattr(Extension, f"forward_{when}_destination") for when in FORWARDS}
    rows = db.session.scalars(select(Extension).where(or_(*(column.in_(wanted) for column in columns.values()))))
    for row in rows.all():
        for when in FORWARDS:
            if row.forward(when).destination in wanted:
                yield row, when


def circle(row: Extension, everybody: Mapping[str, str]) -> list[str]:
    """The ring of numbers that a call to ``row`` runs into as things are now, first again as last; empty for none.

    ``everybody`` is what ``always_forwarded`` gives: only those are certain; of ``row`` itself the others count too.
    """
    for target in (row.forward(when).target for when in FORWARDS):
        if not target:
            continue
        ring = loop(row.number, {**everybody, row.number: dialled(target)})
        if ring:
            return ring
    return []


def always_forwarded() -> dict[str, str]:
    """Each number whose calls are all forwarded now, and the number where to; one query."""
    query = select(Extension.number, Extension.forward_unconditional_destination).where(
        Extension.forward_unconditional_enabled
    )
    return {number: dialled(target) for number, target in db.session.execute(query) if target}


def _registry() -> Destinations:
    registry: Destinations = current_app.extensions["pbxweb.destinations"]
    return registry
