"""The state as Asterisk itself tells it: asked for on every connect, so that nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from pbxweb.asterisk.ami_messages import EMPTY, AmiFailed, Event, HeaderValue, moment
from pbxweb.asterisk.ami_verbs import AmiVerbs
from pbxweb.live.model import UP, Call, Channel, Contact, Engine, Parked, Rules, State, derive, started_at
from pbxweb.live.state import channel_of, contact_of, parked_of

VARIABLES = "CDR(answer,u),CDR(start,u)"
NOBODY: Mapping[tuple[str, str], Contact] = MappingProxyType({})


def rebuild(link: AmiVerbs, rules: Rules, before: State) -> State:
    """Ask Asterisk for everything. In: a link that is up; ``before`` is what was known until the link broke.

    Kept from ``before`` is only what a break of the link cannot change: when a call or a channel that is still there
    began and was answered, and what it dialled. Raises AmiError when the link breaks meanwhile.
    """
    at = moment(link.send("Ping").get("Timestamp"))
    channels = _channels(link, before, at)
    parked = _parked(link)
    return State(
        engine=engine(link),
        channels=channels,
        calls=_calls(channels, parked, rules, before),
        contacts=contacts(link, before.contacts),
        parked=parked,
        at=at,
    )


def engine(link: AmiVerbs) -> Engine:
    """Asterisk's version and when it started (it tells the time of its own time zone, which is this machine's)."""
    status, settings = link.send("CoreStatus"), link.send("CoreSettings")
    version = re.match(r"[\d.]+", settings.get("AsteriskVersion"))
    try:
        local = datetime.fromisoformat(f"{status.get('CoreStartupDate')}T{status.get('CoreStartupTime')}")
        since = local.astimezone(UTC)
    except ValueError:
        since = None
    return Engine(up=True, since=since, version=version[0] if version else "", problem="")


def contacts(link: AmiVerbs, before: Mapping[tuple[str, str], Contact] = NOBODY) -> dict[tuple[str, str], Contact]:
    """Every device that is signed in or configured with a fixed address; since when is kept from ``before``."""
    found = (contact_of(event) for event in _listed(link, "PJSIPShowContacts") if event.name == "ContactList")
    every = {(contact.aor, contact.uri): contact for contact in found}
    return {
        key: replace(contact, registered=before[key].registered) if key in before else contact
        for key, contact in every.items()
    }


def _listed(link: AmiVerbs, action: str, headers: Mapping[str, HeaderValue] = EMPTY) -> list[Event]:
    """A list's events. Asterisk answers some empty lists, and those of modules it has not loaded, with an error."""
    try:
        return link.collect(action, headers)[1]
    except AmiFailed as error:
        if error.message.lower().startswith(("no ", "invalid/unknown command")):
            return []
        raise


def _channels(link: AmiVerbs, before: State, at: datetime | None) -> dict[str, Channel]:
    found: dict[str, Channel] = {}
    for event in _listed(link, "Status", {"Variables": VARIABLES}):
        if event.name == "Status":
            channel = channel_of(event, None)
            known = before.channels.get(channel.uniqueid)
            found[channel.uniqueid] = replace(
                channel,
                dialled=known.dialled if known else event.get("DNID") or channel.dialled,
                created=known.created if known else _created(event),
                answered=(known.answered if known else None) or _answered(event, channel, at),
                bridge=event.get("BridgeID"),
            )
    return _with_holders(link, found)


def _created(event: Event) -> datetime | None:
    """When the channel began. A transfer makes its CDR begin anew; then its Uniqueid tells, to the second."""
    begun, second = moment(event.pairs("Variable").get("CDR(start,u)", "")), started_at(event.get("Uniqueid"))
    if begun is None or second is None:
        return begun or second
    return begun if begun - second < timedelta(seconds=2) else second


def _answered(event: Event, channel: Channel, at: datetime | None) -> datetime | None:
    """When it was answered. A transfer makes its CDR begin anew; then its seconds of talk tell."""
    exact = moment(event.pairs("Variable").get("CDR(answer,u)", ""))
    seconds = event.get("Seconds")
    if channel.state != UP or at is None or not seconds.isdecimal():
        return exact
    rough = at.replace(microsecond=0) - timedelta(seconds=int(seconds))
    return exact if exact and abs(exact - rough) < timedelta(seconds=2) else rough


def _with_holders(link: AmiVerbs, channels: dict[str, Channel]) -> dict[str, Channel]:
    """Who holds: Asterisk calls the device of the *other* side "on hold"; of a bridge of two that is an answer."""
    waiting = {event.get("Device") for event in _listed(link, "DeviceStateList") if event.get("State") == "ONHOLD"}
    if not waiting:
        return channels
    bridges: dict[str, list[Channel]] = {}
    for channel in channels.values():
        bridges.setdefault(channel.bridge, []).append(channel)
    for bridge, pair in bridges.items():
        if not bridge or len(pair) != 2:
            continue
        for holder, other in (pair, reversed(pair)):
            if f"{other.technology}/{other.endpoint}" in waiting:
                channels[holder.uniqueid] = replace(holder, held=True)
    return channels


def _parked(link: AmiVerbs) -> dict[str, Parked]:
    places = (parked_of(event) for event in _listed(link, "ParkedCalls") if event.name == "ParkedCall")
    return {place.uniqueid: place for place in places}


def _calls(
    channels: Mapping[str, Channel], parked: Mapping[str, Parked], rules: Rules, before: State
) -> dict[str, Call]:
    groups: dict[str, list[Channel]] = {}
    for channel in channels.values():
        groups.setdefault(channel.linkedid, []).append(channel)
    return {
        call_id: derive(before.calls.get(call_id, Call(call_id)), group, parked, rules)
        for call_id, group in groups.items()
    }
