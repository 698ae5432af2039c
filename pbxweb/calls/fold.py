"""From a call's channel events to the one row that a person sees. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pbxweb.calls.cel import Event
from pbxweb.live.model import endpoint_of, is_line

INTERNAL, INBOUND, OUTBOUND = "internal", "inbound", "outbound"
ANSWERED, MISSED, BUSY, FAILED = "answered", "missed", "busy", "failed"
DIRECTIONS = (INTERNAL, INBOUND, OUTBOUND)
DISPOSITIONS = (ANSWERED, MISSED, BUSY, FAILED)

# Q.850 causes with which a call that nobody answered can end, as people say it. What is not here is "failed".
BUSY_CAUSES = frozenset({17, 21})
MISSED_CAUSES = frozenset({0, 16, 18, 19, 20, 26, 127})
# The context of click-to-call: the call begins with Asterisk's own channel ``Local/<number>@pbxweb-click``.
CLICK = "pbxweb-click"
CALLED, CALLING = "called", "calling"


@dataclass
class Leg:
    """One device in a call. Times are microseconds since 1970; ``role`` is calling (it dialled) or called (it rang)."""

    uniqueid: str
    channel: str
    number: str
    name: str
    phone: bool
    role: str
    dialled: str
    started: int
    answered: int | None = None
    ended: int | None = None
    joined: int | None = None
    cause: int = 0
    dial_status: str = ""
    elsewhere: bool = False

    @property
    def device(self) -> bool:
        """Whether it is a phone or a line, and not one of Asterisk's own helpers."""
        return not self.channel.startswith("Local/")

    @property
    def outcome(self) -> str:
        """What became of it: answered, elsewhere (another phone took the call), busy, missed or failed."""
        if self.answered is not None:
            return ANSWERED
        if self.elsewhere or self.cause == 26:
            return "elsewhere"
        return BUSY if self.cause in BUSY_CAUSES else MISSED if self.cause in MISSED_CAUSES else FAILED


@dataclass(frozen=True)
class Step:
    """Something that happened to the call besides ringing and talking: transferred, picked up, parked, fetched."""

    at: int
    what: str
    by: str = ""
    to: str = ""


@dataclass
class Folded:
    """A call. Times are microseconds since 1970; ``cut``: Asterisk stopped before the call could end."""

    linkedid: str
    linkedids: tuple[str, ...]
    complete: bool
    started: int
    ended: int
    answered: int | None
    direction: str
    disposition: str
    caller_number: str
    caller_name: str
    called_number: str
    answered_by: str
    cut: bool
    legs: list[Leg] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def ring_seconds(self) -> int:
        """From the first sign to the answer, or to the end."""
        return round(((self.ended if self.answered is None else self.answered) - self.started) / 1_000_000)

    @property
    def talk_seconds(self) -> int:
        """From the answer to the end; 0 when nobody answered."""
        return 0 if self.answered is None else round((self.ended - self.answered) / 1_000_000)


@dataclass
class _Walk:
    """What is known while the events are read."""

    line: Callable[[str], bool]
    legs: dict[str, Leg] = field(default_factory=dict)
    bridges: dict[str, set[str]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    answered: int | None = None
    answered_by: str = ""
    click: str = ""
    caller: Leg | None = None


def fold(events: Sequence[Event], *, cut_at: int | None = None, line: Callable[[str], bool] = is_line) -> Folded | None:
    """The call that ``events`` (of one call, in their order) tell.

    In: ``cut_at`` (microseconds) is when Asterisk died under a call that never ended; ``line`` tells a line to the
    outside from a phone by the name of its endpoint. Out: None where the events tell of no channel's beginning.
    """
    walk = _Walk(line)
    for event in events:
        _HANDLERS.get(event.type, _nothing)(walk, event)
    devices = [leg for leg in walk.legs.values() if leg.device]
    caller = walk.caller or next(iter(devices), None)
    if caller is None:
        return None
    ended = cut_at if cut_at is not None else max(event.at for event in events)
    answered = walk.answered
    if answered is None and len(walk.legs) == 1:
        answered = caller.answered
    return Folded(
        linkedid=events[0].linkedid,
        linkedids=tuple(dict.fromkeys(event.linkedid for event in events)),
        complete=events[0].type == "CHAN_START",
        started=caller.started,
        ended=max(ended, caller.started, answered or 0),
        answered=answered,
        direction=_direction(caller, devices),
        disposition=ANSWERED if answered is not None else _unanswered(walk, caller, cut_at is not None),
        caller_number=caller.number,
        caller_name=caller.name,
        called_number=walk.click or caller.dialled,
        answered_by=walk.answered_by if answered is not None else "",
        cut=cut_at is not None,
        legs=devices,
        steps=walk.steps,
    )


def _direction(caller: Leg, legs: Sequence[Leg]) -> str:
    if not caller.phone:
        return INBOUND
    return INTERNAL if all(leg.phone for leg in legs) else OUTBOUND


def _unanswered(walk: _Walk, caller: Leg, cut: bool) -> str:
    if walk.click and caller.answered is None:
        return FAILED
    if caller.dial_status == "BUSY" or caller.cause in BUSY_CAUSES:
        return BUSY
    if cut or caller.dial_status in ("CANCEL", "NOANSWER") or caller.cause in MISSED_CAUSES:
        return MISSED
    return FAILED


def _nothing(_walk: _Walk, _event: Event) -> None:
    return


def _start(walk: _Walk, event: Event) -> None:
    technology, endpoint = endpoint_of(event.channel)
    if technology == "Local" and endpoint.endswith(f"@{CLICK}") and not walk.legs:
        walk.click = endpoint.removesuffix(f"@{CLICK}")
    phone = not walk.line(endpoint)
    dialled = "" if event.exten in ("", "s") else event.exten
    leg = walk.legs[event.uniqueid] = Leg(
        uniqueid=event.uniqueid,
        channel=event.channel,
        number=endpoint if phone else event.number,
        name=event.name,
        phone=phone,
        role=CALLING if dialled or not walk.legs else CALLED,
        dialled=dialled,
        started=event.at,
    )
    if walk.caller is None and not walk.click and leg.device:
        walk.caller = leg


def _answer(walk: _Walk, event: Event) -> None:
    leg = walk.legs.get(event.uniqueid)
    if leg and leg.answered is None:
        leg.answered = event.at
        leg.name = leg.name or event.name
        leg.number = leg.number or event.number
        if walk.caller is None and leg.device:
            # The first device that answers a click is the caller.
            walk.caller, leg.role = leg, CALLING


def _enter(walk: _Walk, event: Event) -> None:
    if event.details.get("bridge_technology") == "holding_bridge":
        return
    members = walk.bridges.setdefault(str(event.details.get("bridge_id", "")), set())
    members.add(event.uniqueid)
    if len(members) < 2:
        return
    for uniqueid in members:
        if (leg := walk.legs.get(uniqueid)) and leg.joined is None:
            leg.joined = event.at
    if walk.answered is None:
        walk.answered = event.at
        walk.answered_by = next((walk.legs[one].number for one in _others(walk, members)), "")


def _others(walk: _Walk, members: set[str]) -> list[str]:
    return [one for one, leg in walk.legs.items() if one in members and leg is not walk.caller]


def _leave(walk: _Walk, event: Event) -> None:
    walk.bridges.get(str(event.details.get("bridge_id", "")), set()).discard(event.uniqueid)


def _hangup(walk: _Walk, event: Event) -> None:
    if leg := walk.legs.get(event.uniqueid):
        leg.cause = int(event.details.get("hangupcause") or 0)
        leg.dial_status = str(event.details.get("dialstatus") or "")


def _end(walk: _Walk, event: Event) -> None:
    if leg := walk.legs.get(event.uniqueid):
        leg.ended = event.at


def _number(walk: _Walk, uniqueid: str) -> str:
    leg = walk.legs.get(uniqueid)
    if leg is None:
        return ""
    # A helper between two phones, Local/202@context-00000001;1, stands for the number that it calls.
    return leg.number if leg.device else endpoint_of(leg.channel)[1].partition("@")[0]


def _blind(walk: _Walk, event: Event) -> None:
    to = str(event.details.get("extension", ""))
    walk.steps.append(Step(event.at, "transferred", _number(walk, event.uniqueid), to))


def _attended(walk: _Walk, event: Event) -> None:
    said = event.details
    found = str(said.get("transfer_target_channel_uniqueid", ""))
    if found not in walk.legs:
        # Now and then Asterisk says "N/A": then it is who is left in one of the two bridges.
        both = {one for name in ("bridge1_id", "bridge2_id") for one in walk.bridges.get(str(said.get(name, "")), ())}
        both -= {event.uniqueid, str(said.get("transferee_channel_uniqueid", ""))}
        found = next((one for one in reversed(walk.legs) if one in both), "")
    walk.steps.append(Step(event.at, "transferred", _number(walk, event.uniqueid), _number(walk, found)))


def _pickup(walk: _Walk, event: Event) -> None:
    if leg := walk.legs.get(event.uniqueid):
        leg.elsewhere = True
    by = _number(walk, str(event.details.get("pickup_channel_uniqueid", "")))
    walk.steps.append(Step(event.at, "picked up", by, _number(walk, event.uniqueid)))


def _park(walk: _Walk, event: Event) -> None:
    _, parker = endpoint_of(str(event.details.get("parker_dial_string", "")))
    walk.steps.append(Step(event.at, "parked", parker, _number(walk, event.uniqueid)))


def _unpark(walk: _Walk, event: Event) -> None:
    if event.details.get("reason") == "ParkedCallUnparked":
        _, retriever = endpoint_of(str(event.details.get("retriever", "")))
        walk.steps.append(Step(event.at, "fetched", retriever, _number(walk, event.uniqueid)))


_HANDLERS: dict[str, Callable[[_Walk, Event], None]] = {
    "CHAN_START": _start,
    "ANSWER": _answer,
    "BRIDGE_ENTER": _enter,
    "BRIDGE_EXIT": _leave,
    "HANGUP": _hangup,
    "CHAN_END": _end,
    "BLINDTRANSFER": _blind,
    "ATTENDEDTRANSFER": _attended,
    "PICKUP": _pickup,
    "PARK_START": _park,
    "PARK_END": _unpark,
}
