"""What is going on in Asterisk right now, as frozen data: channels, calls, contacts, the engine. Times are UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

UP, RINGING = "up", "ringing"
CHANNEL_STATES = (
    "down",
    "reserved",
    "off hook",
    "dialing",
    "ring",
    RINGING,
    UP,
    "busy",
    "dialing off hook",
    "pre-ring",
)

_UNIQUEID = re.compile(r"(\d{9,11})\.(\d+)$")
_NAME = re.compile(r"([A-Za-z0-9_]+)/(.*?)(?:-[0-9a-f]{8})?(?:;[12])?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Channel:
    """One leg. ``endpoint`` is the phone's number or the line's name (``101`` of ``PJSIP/101-0000002a``).

    ``held``: this leg's device has put the other side on hold. ``created`` and ``answered`` are UTC.
    """

    uniqueid: str
    linkedid: str
    name: str
    technology: str = ""
    endpoint: str = ""
    state: str = "down"
    caller_number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    connected_name: str = ""
    context: str = ""
    dialled: str = ""
    created: datetime | None = None
    answered: datetime | None = None
    bridge: str = ""
    held: bool = False

    @property
    def local(self) -> bool:
        """Whether it is one of Asterisk's own helpers (``Local/…``) and no device of anyone's."""
        return self.technology == "Local"


@dataclass(frozen=True, slots=True)
class Parked:
    """Where a leg is parked."""

    uniqueid: str
    lot: str
    space: str
    parker: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as a person means it. ``id`` is Asterisk's Linkedid, ``caller`` the Uniqueid of the leg it comes from.

    ``direction`` is internal, inbound or outbound; ``state`` is initiated, ringing, answered, held, transferred
    (handed on, nobody has answered there yet), parked or ended. ``ended`` and ``cause`` (Q.850) are set at the end.
    ``originated``: Asterisk rang the caller's own phone first; such a call is ringing until it joins two parties.
    """

    id: str
    from_number: str = ""
    from_name: str = ""
    to_number: str = ""
    to_name: str = ""
    direction: str = "internal"
    state: str = "initiated"
    started: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    cause: int = 0
    channels: tuple[Channel, ...] = ()
    parked_at: str = ""
    transferring: bool = False
    caller: str = ""
    originated: bool = False

    @property
    def legs(self) -> tuple[Channel, ...]:
        """The devices in it, oldest first: Asterisk's own helper channels only where there is nothing else."""
        return tuple(leg for leg in self.channels if not leg.local) or self.channels

    @property
    def parties_unknown(self) -> bool:
        """Whether Asterisk has only begun to set it up: no device is in it yet."""
        return bool(self.channels) and all(leg.local for leg in self.channels)

    def visible(self) -> tuple[object, ...]:
        """What a person could notice of it; two selves of a call that do not differ here need no telling."""
        legs = tuple(
            (leg.uniqueid, leg.endpoint, leg.state, leg.held, leg.caller_number, leg.caller_name) for leg in self.legs
        )
        said = (self.from_number, self.from_name, self.to_number, self.to_name, self.direction, self.state)
        return (*said, self.parked_at, self.answered, legs)

    def involves(self, number: str) -> bool:
        """Whether the phone ``number`` is, or was, a party of the call."""
        return number in (self.from_number, self.to_number) or any(leg.endpoint == number for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Contact:
    """A device that is signed in. ``round_trip_ms`` is None until it was measured; ``expires`` may be unknown.

    ``registered``: since when it is signed in; None for one that was there before anybody looked.
    """

    aor: str
    uri: str
    status: str = "Unknown"
    endpoint: str = ""
    user_agent: str = ""
    transport: str = "udp"
    address: str = ""
    port: int = 0
    expires: datetime | None = None
    registered: datetime | None = None
    round_trip_ms: float | None = None

    @property
    def online(self) -> bool:
        """Whether calls can reach it as far as Asterisk knows."""
        return self.status not in ("Unreachable", "Removed")


@dataclass(frozen=True, slots=True)
class Engine:
    """Asterisk itself: ``since`` when it runs, ``problem`` why it cannot be reached (a technical text)."""

    up: bool = False
    since: datetime | None = None
    version: str = ""
    problem: str = "not connected yet"


@dataclass(frozen=True, slots=True)
class State:
    """All of it. ``channels`` by Uniqueid, ``calls`` by id, ``contacts`` by (aor, uri), ``parked`` by Uniqueid.

    ``at`` is the moment (Asterisk's clock) of the last rebuild: events from before it are in the state already.
    """

    engine: Engine = Engine()
    channels: Mapping[str, Channel] = field(default_factory=lambda: MappingProxyType({}))
    calls: Mapping[str, Call] = field(default_factory=lambda: MappingProxyType({}))
    contacts: Mapping[tuple[str, str], Contact] = field(default_factory=lambda: MappingProxyType({}))
    parked: Mapping[str, Parked] = field(default_factory=lambda: MappingProxyType({}))
    at: datetime | None = None

    def contacts_of(self, aor: str) -> list[Contact]:
        """The devices that are signed in as ``aor`` (a phone's number)."""
        return [contact for contact in self.contacts.values() if contact.aor == aor]

    def calls_of(self, number: str) -> list[Call]:
        """The calls in which the phone ``number`` takes part."""
        return [call for call in self.calls.values() if call.involves(number)]

    def online(self) -> set[str]:
        """The names (phones' numbers) that have at least one reachable device."""
        return {contact.aor for contact in self.contacts.values() if contact.online}


def is_line(endpoint: str) -> bool:
    """The rule while nobody gives a better one: a phone's endpoint is its number, anything else a line outside."""
    return not endpoint.isdecimal()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the reducer must be told: whether an endpoint (``PJSIP/<endpoint>-…``) is a line to the outside."""

    is_line: Callable[[str], bool] = is_line


@dataclass(frozen=True, slots=True)
class CallChange:
    """A call is ``new``, ``changed``, ``ended``, or ``merged`` into the call ``into``; ``call`` is its latest self."""

    kind: str
    call: Call
    into: str = ""


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A device signed in or changed (``gone`` False), or signed out or expired (True)."""

    contact: Contact
    gone: bool = False


@dataclass(frozen=True, slots=True)
class EngineChange:
    """Asterisk came, went, or loaded a configuration."""

    engine: Engine


@dataclass(frozen=True, slots=True)
class Feature:
    """The dialplan said something (``UserEvent``): its name and its headers as they came."""

    name: str
    headers: Mapping[str, str]
    at: datetime | None = None


Change = CallChange | ContactChange | EngineChange | Feature


def endpoint_of(name: str) -> tuple[str, str]:
    """A channel's name as (technology, endpoint): ``PJSIP/101-0000002a`` is ("PJSIP", "101")."""
    found = _NAME.match(name)
    return (found[1], found[2]) if found else ("", name)


def started_at(linkedid: str) -> datetime | None:
    """When the first channel of a call began, to the second, as its Linkedid tells (``1795260299.41``)."""
    found = _UNIQUEID.search(linkedid)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def derive(before: Call, every: Iterable[Channel], parked: Mapping[str, Parked], rules: Rules) -> Call:
    """The call as its channels (not empty) say it is; what only the past knows is kept from ``before``."""
    every = tuple(sorted(every, key=_age))
    legs = tuple(leg for leg in every if not leg.local) or every
    originated = before.originated or (not before.channels and every[0].local)
    space = next((parked[leg.uniqueid].space for leg in every if leg.uniqueid in parked), "")
    bridged = any(leg.bridge for leg in legs)
    answers = [leg.answered for leg in legs if leg.answered]
    answered = before.answered or _answered(answers, bridged, originated)
    asking = originated and not answered
    started = before.started or next((leg.created for leg in every if leg.uniqueid == before.id), None)
    call = replace(
        before,
        state="ringing" if asking else _call_state(legs, bool(space), bridged, before.transferring),
        started=started or started_at(before.id) or every[0].created,
        answered=answered,
        channels=every,
        parked_at=space,
        originated=originated,
    )
    caller = next((leg for leg in legs if leg.uniqueid == before.caller), None)
    if caller is None and before.caller and len(legs) < 2 and not asking:
        return call
    same, caller = caller is not None, caller or legs[0]
    lines = [leg for leg in legs if not leg.local and rules.is_line(leg.endpoint)]
    kept = before.to_number if same or asking or before.transferring else ""
    number = caller.connected_number if bridged and not before.transferring else ""
    number = number or kept or caller.dialled
    return replace(
        call,
        caller=caller.uniqueid,
        from_number=caller.caller_number or ("" if caller.local else caller.endpoint),
        from_name=caller.caller_name,
        to_number=number,
        to_name=caller.connected_name if number == caller.connected_number else "",
        direction="inbound" if caller in lines else "outbound" if lines else _direction(before, same),
    )


def _answered(answers: list[datetime], bridged: bool, originated: bool) -> datetime | None:
    if originated:
        return max(answers) if bridged and answers else None
    return min(answers, default=None)


def _direction(before: Call, same: bool) -> str:
    """Without a line among the legs: what the call was, while it is the same caller's (the line hung up first)."""
    return before.direction if same else "internal"


def _call_state(legs: tuple[Channel, ...], parked: bool, bridged: bool, transferring: bool) -> str:
    if parked:
        return "parked"
    if transferring and (bridged or len(legs) > 1):
        return "transferred"
    if bridged:
        return "held" if any(leg.held for leg in legs) else "answered"
    if any(leg.state == RINGING for leg in legs):
        return "ringing"
    return "answered" if any(leg.state == UP for leg in legs) else "initiated"


def _age(leg: Channel) -> tuple[int, int]:
    """What sorts legs by age: Asterisk numbers its channels, but not those whose Uniqueid was given from outside."""
    if found := _UNIQUEID.search(leg.uniqueid):
        return int(found[1]), int(found[2])
    return int(leg.created.timestamp()) if leg.created else 0, 0
