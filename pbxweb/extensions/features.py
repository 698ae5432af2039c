"""Do not disturb and forwarding, shared with the phones' own codes.

What counts in a call lies in Asterisk's own database, so that no call waits for pbxweb; the table mirrors it for the
pages. A page's change is written there after its commit; where Asterisk is down, ``features_pending`` keeps it for the
next connection. A phone's change comes as a ``PbxwebFeature`` event, or is read back at the next connection.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import or_, select, update

from pbxweb.asterisk.ami import AmiError, AmiFailed, AmiVerbs
from pbxweb.changes import changing
from pbxweb.extensions import destinations
from pbxweb.extensions.conf import FEATURES
from pbxweb.extensions.models import Extension
from pbxweb.live.feed import FEATURES as TOPIC
from pbxweb.live.model import Feature
from pbxweb.security.roles import device
from pbxweb.storage.database import begin_write, db

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime

log = logging.getLogger(__name__)

EVENT = "PbxwebFeature"
# Where each forwarding's name in Asterisk's database stands in the table.
FORWARD_OF = {"cfu": "unconditional", "cfb": "on_busy", "cfna": "on_no_answer"}
# Says that Asterisk's database was filled by us once: without it, it is a new one and knows nothing.
MIRROR = ("pbxweb", "mirror")
OFF = dict.fromkeys(FEATURES, "")
_telling = threading.Lock()


def values_of(row: Extension) -> dict[str, str]:
    """What Asterisk's database shall have for this phone, feature by feature; empty is off."""
    forwards = {name: destinations.dialled(row.forward(when).target) for name, when in FORWARD_OF.items()}
    return {"dnd": "1" if row.dnd_enabled else "", **forwards}


def settle(forget: Iterable[str] = ()) -> None:
    """Tell Asterisk what is pending, and that the numbers ``forget`` have nothing set.

    Where Asterisk cannot be reached all stays pending; the next connection makes up for it. Needs an application
    context and no transaction under way.
    """
    runtime: Runtime | None = current_app.extensions.get("pbxweb.runtime")
    if runtime is None:
        return
    rows = db.session.scalars(select(Extension).where(Extension.features_pending))
    pending = {row.number: values_of(row) for row in rows}
    db.session.rollback()
    try:
        _push(runtime.link, forget)
    except AmiError as error:
        log.warning("forwardings and do not disturb wait for Asterisk: %s", error)
    for number, values in pending.items():
        _publish(runtime, number, values)


def reconcile(runtime: Runtime) -> None:
    """At a new connection: push what is pending, then take over what phones set meanwhile. Raises AmiError."""
    if runtime.link.dbget(*MIRROR) is None:
        _mark_everything()
        _push(runtime.link)
        runtime.link.dbput(*MIRROR, "1")
        return
    _push(runtime.link)
    known: dict[str, dict[str, str]] = {}
    for name, feature in FEATURES.items():
        for number, value in _tree(runtime.link, feature.family).items():
            known.setdefault(number, {})[name] = value
    orphans = _take_over(runtime, known)
    for number in orphans:
        _tell(runtime.link, number, OFF)


def heard(runtime: Runtime, number: str, feature: str, value: str) -> None:
    """A phone's code changed one feature: the row follows, and open pages are told."""
    if feature in FEATURES:
        _adopt(runtime, {number: {feature: value}}, f"extension {number}")


def _push(link: AmiVerbs, forget: Iterable[str] = ()) -> None:
    with _telling:
        for number in forget:
            _tell(link, number, OFF)
        rows = list(db.session.scalars(select(Extension).where(Extension.features_pending)))
        versions = [(row.id, row.updated_at) for row in rows]
        for row in rows:
            _tell(link, row.number, values_of(row))
        db.session.rollback()
        if versions:
            begin_write()
            for row_id, version in versions:
                # A change that came in between has another version and stays pending.
                same = (Extension.id == row_id) & (Extension.updated_at == version)
                db.session.execute(update(Extension).where(same).values(features_pending=False, updated_at=version))
            db.session.commit()


def _tell(link: AmiVerbs, number: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        feature = FEATURES[name]
        if value:
            link.dbput(feature.family, number, value)
        elif link.dbget(feature.family, number) is not None:  # Asterisk warns of a key that is not there
            link.dbdel(feature.family, number)
        if feature.device:
            link.setvar(f"DEVICE_STATE({feature.device}{number})", feature.lit if value else feature.unlit)


def _tree(link: AmiVerbs, family: str) -> dict[str, str]:
    """A whole family of Asterisk's database in one question."""
    try:
        _response, events = link.collect("DBGetTree", {"Family": family})
    except AmiFailed:
        return {}
    return {event.get("Key").rpartition("/")[2]: event.get("Val") for event in events if event.get("Key")}


def _mark_everything() -> None:
    begin_write()
    anything = or_(Extension.dnd_enabled, *(getattr(Extension, f"forward_{w}_enabled") for w in FORWARD_OF.values()))
    values = {"features_pending": True, "updated_at": Extension.updated_at}
    db.session.execute(update(Extension).where(anything).values(values))
    db.session.commit()


def _take_over(runtime: Runtime, known: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Make the rows say what Asterisk's database says; the numbers in it that are nobody's."""
    rows = list(db.session.scalars(select(Extension)))
    different = {}
    for row in rows:
        there = {**OFF, **known.get(row.number, {})}
        if not row.features_pending and values_of(row) != there:
            different[row.number] = there
    orphans = sorted(set(known) - {row.number for row in rows})
    db.session.rollback()
    if different:
        _adopt(runtime, different, f"extension {', '.join(sorted(different)[:10])}")
    return orphans


def _adopt(runtime: Runtime, heard_values: Mapping[str, Mapping[str, str]], subject: str) -> None:
    numbers = list(heard_values)
    with changing(
        device(f"Phone {numbers[0]}" if len(numbers) == 1 else "Phones", "phone"), "extension.features", subject
    ):
        rows = db.session.scalars(select(Extension).where(Extension.number.in_(numbers))).all()
        house = _numbers(heard_values)
        changed = [
            row.number for row in rows if not row.features_pending and _write(row, heard_values[row.number], house)
        ]
    for number in changed:
        _publish(runtime, number, heard_values[number])


def _numbers(heard_values: Mapping[str, Mapping[str, str]]) -> set[str]:
    wanted = {value for values in heard_values.values() for value in values.values() if value}
    return set(db.session.scalars(select(Extension.number).where(Extension.number.in_(wanted)))) if wanted else set()


def _write(row: Extension, values: Mapping[str, str], known: Collection[str]) -> bool:
    """Whether anything differed from what the row says."""
    now = values_of(row)
    new = {name: value for name, value in values.items() if now[name] != value}
    for name, value in new.items():
        if name == "dnd":
            row.dnd_enabled = value == "1"
            continue
        when = FORWARD_OF[name]
        setattr(row, f"forward_{when}_enabled", bool(value))
        if value:
            setattr(row, f"forward_{when}_destination", destinations.of_dialled(value, known))
    return bool(new)


def _publish(runtime: Runtime, number: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        headers: dict[str, Any] = {"Extension": number, "Feature": name, "Value": value}
        runtime.bus.publish(TOPIC, Feature(EVENT, headers))
