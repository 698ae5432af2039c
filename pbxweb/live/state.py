"""The pure reducer: a state and one event of Asterisk's give the next state and what has changed.

Every event sets absolute values, only Newchannel makes a channel, and a channel that is up never falls back: an event
that is reduced again, or that is older than the snapshot it meets, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from pbxweb.asterisk.ami_messages import Event, moment
from pbxweb.live.model import (
    CHANNEL_STATES,
    UP,
    Call,
    CallChange,
    Change,
    Channel,
    Contact,
    ContactChange,
    EngineChange,
    Feature,
    Parked,
    Rules,
    State,
    derive,
    endpoint_of,
)

Key = TypeVar("Key")
Value = TypeVar("Value")
Outcome = tuple[State, tuple[Change, ...]]
DEFAULT_RULES = Rules()
NOTHING: tuple[Change, ...] = ()
_CARRIER_HEADERS = ("Event", "Privilege", "Timestamp", "UserEvent", "ActionID")


def reduce(state: State, event: Event, rules: Rules = DEFAULT_RULES) -> Outcome:
    """The state after ``event``, and the changes to tell. An event that means nothing here changes nothing."""
    handler = _HANDLERS.get(event.name)
    if handler is None:
        return state, NOTHING
    if state.at and event.name != "UserEvent" and (at := event.at) and at < state.at:
        return state, NOTHING
    return handler(state, event, rules)


def channel_of(event: Event, before: Channel | None, prefix: str = "") -> Channel:
    """The channel that an event tells of (its headers begin with ``prefix``), on what is known of it ``before``."""
    name = event.get(prefix + "Channel")
    technology, endpoint = endpoint_of(name)
    number = event.get(prefix + "ChannelState")
    state = CHANNEL_STATES[int(number)] if number.isdecimal() and int(number) < len(CHANNEL_STATES) else "down"
    uniqueid = event.get(prefix + "Uniqueid")
    answered = None
    if before is not None:
        answered = before.answered
        state = UP if before.state == UP else state
    if state == UP and answered is None:
        answered = event.at
    exten = event.get(prefix + "Exten")
    dialled = "" if exten == "s" else exten
    return Channel(
        uniqueid=uniqueid,
        linkedid=event.get(prefix + "Linkedid") or uniqueid,
        name=name,
        technology=technology,
        endpoint=endpoint,
        state=state,
        caller_number=event.text(prefix + "CallerIDNum"),
        caller_name=event.text(prefix + "CallerIDName"),
        connected_number=event.text(prefix + "ConnectedLineNum"),
        connected_name=event.text(prefix + "ConnectedLineName"),
        context=event.get(prefix + "Context"),
        dialled=before.dialled or dialled if before else dialled,
        created=before.created if before else event.at,
        answered=answered,
        bridge=before.bridge if before else "",
        held=before.held if before else False,
    )


def put(state: State, channel: Channel, rules: Rules) -> Outcome:
    """The state with ``channel`` in it, its call derived anew; a changed Linkedid moves it from call to call."""
    before = state.channels.get(channel.uniqueid)
    if channel == before:
        return state, NOTHING
    told = NOTHING
    if before is not None and before.linkedid != channel.linkedid:
        state, told = _leave_call(state, before, channel.linkedid, rules)
    state = replace(state, channels={**state.channels, channel.uniqueid: channel})
    call = state.calls.get(channel.linkedid)
    others = [one for one in call.channels if one.uniqueid != channel.uniqueid] if call else []
    state, more = _recall(state, channel.linkedid, [*others, channel], rules)
    return state, told + more


def _recall(state: State, call_id: str, channels: Iterable[Channel], rules: Rules) -> Outcome:
    """The call ``call_id``, derived from ``channels``, which are not empty."""
    old = state.calls.get(call_id)
    call = derive(old or Call(call_id), channels, state.parked, rules)
    if call == old:
        return state, NOTHING
    state = replace(state, calls={**state.calls, call_id: call})
    if old and old.visible() == call.visible():
        return state, NOTHING
    return state, (CallChange("changed" if old else "new", call),)


def _leave_call(state: State, channel: Channel, into: str, rules: Rules) -> Outcome:
    """Asterisk joins two calls leg by leg: the old one loses this leg, or has gone into the other with its last."""
    call = state.calls.get(channel.linkedid)
    if call is None:
        return state, NOTHING
    left = [one for one in call.channels if one.uniqueid != channel.uniqueid]
    if left:
        return _recall(state, call.id, left, rules)
    return replace(state, calls=_without(state.calls, call.id)), (CallChange("merged", call, into),)


def _without(mapping: Mapping[Key, Value], key: Key) -> dict[Key, Value]:
    rest = dict(mapping)
    rest.pop(key, None)
    return rest


def _seen(state: State, event: Event, rules: Rules, prefix: str = "", **known: object) -> Outcome:
    """The event's channel, where it is known, brought up to date."""
    before = state.channels.get(event.get(prefix + "Uniqueid"))
    if before is None:
        return state, NOTHING
    return put(state, replace(channel_of(event, before, prefix), **known), rules)  # type: ignore[arg-type]


def _new_channel(state: State, event: Event, rules: Rules) -> Outcome:
    if not event.get("Uniqueid"):
        return state, NOTHING
    return put(state, channel_of(event, state.channels.get(event.get("Uniqueid"))), rules)


def _hangup(state: State, event: Event, rules: Rules) -> Outcome:
    gone = state.channels.get(event.get("Uniqueid"))
    if gone is None:
        return state, NOTHING
    parked = _without(state.parked, gone.uniqueid) if gone.uniqueid in state.parked else state.parked
    state = replace(state, channels=_without(state.channels, gone.uniqueid), parked=parked)
    call = state.calls.get(gone.linkedid)
    if call is None:
        return state, NOTHING
    if left := [one for one in call.channels if one.uniqueid != gone.uniqueid]:
        return _recall(state, call.id, left, rules)
    cause = event.get("Cause")
    ended = replace(
        call,
        state="ended",
        ended=event.at,
        cause=int(cause) if cause.isdecimal() else 0,
        channels=(),
        parked_at="",
        transferring=False,
    )
    return replace(state, calls=_without(state.calls, call.id)), (CallChange("ended", ended),)


def _dial_begin(state: State, event: Event, rules: Rules) -> Outcome:
    state, changes = _seen(state, event, rules)
    state, more = _seen(state, event, rules, "Dest")
    return state, changes + more


def _bridge_enter(state: State, event: Event, rules: Rules) -> Outcome:
    call = state.calls.get(event.get("Linkedid"))
    if call and call.transferring:
        state = replace(state, calls={**state.calls, call.id: replace(call, transferring=False)})
    return _seen(state, event, rules, bridge=event.get("BridgeUniqueid"))


def _bridge_leave(state: State, event: Event, rules: Rules) -> Outcome:
    before = state.channels.get(event.get("Uniqueid"))
    if before is None or before.bridge not in ("", event.get("BridgeUniqueid")):
        return state, NOTHING
    return _seen(state, event, rules, bridge="", held=False)


def _hold(state: State, event: Event, rules: Rules) -> Outcome:
    return _seen(state, event, rules, held=event.name == "Hold")


def _rename(state: State, event: Event, rules: Rules) -> Outcome:
    before = state.channels.get(event.get("Uniqueid"))
    if before is None:
        return state, NOTHING
    name = event.get("Newname")
    technology, endpoint = endpoint_of(name)
    return put(state, replace(before, name=name, technology=technology, endpoint=endpoint), rules)


def _transfer(state: State, event: Event, rules: Rules) -> Outcome:
    """Someone handed the call on: until it is in a bridge again it is being transferred, to the number named."""
    transferee = state.channels.get(event.get("TransfereeUniqueid"))
    call = state.calls.get(transferee.linkedid) if transferee else None
    if call is None or transferee is None or event.get("Result") != "Success":
        return state, NOTHING
    handed_on = replace(call, transferring=True, to_number=event.get("Extension") or call.to_number)
    state = replace(state, calls={**state.calls, call.id: handed_on})
    return put(state, replace(transferee, bridge="", held=False), rules)


def _parked(state: State, event: Event, rules: Rules) -> Outcome:
    channel = state.channels.get(event.get("ParkeeUniqueid"))
    if channel is None:
        return state, NOTHING
    parked = _without(state.parked, channel.uniqueid)
    if event.name in ("ParkedCall", "ParkedCallSwap"):
        parked[channel.uniqueid] = parked_of(event)
    state, changes = put(replace(state, parked=parked), channel_of(event, channel, "Parkee"), rules)
    call = state.calls.get(event.get("ParkeeLinkedid") or channel.linkedid)
    if call is None:
        return state, changes
    state, more = _recall(state, call.id, call.channels, rules)
    return state, changes + more


def parked_of(event: Event) -> Parked:
    """The parking place that a ParkedCall event tells of."""
    parker = endpoint_of(event.get("ParkerDialString"))[1]
    return Parked(event.get("ParkeeUniqueid"), event.get("Parkinglot"), event.get("ParkingSpace"), parker)


def contact_of(event: Event, before: Contact | None = None) -> Contact:
    """The device that a ContactStatus, ContactList or ContactStatusDetail event tells of."""
    uri = event.get("URI") or event.get("Uri")
    aor = event.get("AOR") or event.get("ObjectName").partition(";@")[0].partition("@@")[0]
    host, port = _address(event, uri)
    round_trip = event.get("RoundtripUsec")
    return Contact(
        aor=aor,
        uri=uri,
        status=event.get("ContactStatus") or event.get("Status") or "Unknown",
        endpoint=event.get("EndpointName") or event.get("Endpoint") or (before.endpoint if before else ""),
        user_agent=event.get("UserAgent") or (before.user_agent if before else ""),
        transport=_transport(uri),
        address=host or (before.address if before else ""),
        port=port or (before.port if before else 0),
        expires=moment(event.get("ExpirationTime") or event.get("RegExpire")) or (before.expires if before else None),
        registered=before.registered if before else event.at if event.name == "ContactStatus" else None,
        round_trip_ms=int(round_trip) / 1000 if round_trip.isdecimal() and int(round_trip) else None,
    )


def _transport(uri: str) -> str:
    if uri.lower().startswith("sips:"):
        return "tls"
    for parameter in uri.lower().split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name == "transport":
            return value.split("?")[0]
    return "udp"


def _address(event: Event, uri: str) -> tuple[str, int]:
    """Where the packets came from; where Asterisk does not say, what the device wrote into its address."""
    host, port = event.get("ViaAddr"), event.get("ViaPort")
    if not host and not (via := event.get("ViaAddress")):
        via = uri.partition(";")[0].rpartition("@")[2]
    if not host:
        host, colon, port = via.rpartition(":")
        if not colon or not port.isdecimal():
            host, port = via, ""
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _contact_status(state: State, event: Event, _rules: Rules) -> Outcome:
    key = (event.get("AOR"), event.get("URI"))
    before = state.contacts.get(key)
    if event.get("ContactStatus") == "Removed":
        if before is None:
            return state, NOTHING
        return replace(state, contacts=_without(state.contacts, key)), (
            ContactChange(replace(before, status="Removed"), gone=True),
        )
    contact = contact_of(event, before)
    if contact == before:
        return state, NOTHING
    return replace(state, contacts={**state.contacts, key: contact}), (ContactChange(contact),)


def _user_event(state: State, event: Event, _rules: Rules) -> Outcome:
    headers = {name: event.get(name) for name in event.headers if name not in _CARRIER_HEADERS}
    return state, (Feature(event.get("UserEvent"), headers, event.at),)


def _shutdown(state: State, _event: Event, _rules: Rules) -> Outcome:
    engine = replace(state.engine, up=False, problem="Asterisk is shutting down")
    return replace(state, engine=engine), (EngineChange(engine),)


_HANDLERS: Mapping[str, Callable[[State, Event, Rules], Outcome]] = {
    "Newchannel": _new_channel,
    "Newstate": _seen,
    "NewCallerid": _seen,
    "NewConnectedLine": _seen,
    "Rename": _rename,
    "Hangup": _hangup,
    "DialBegin": _dial_begin,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "Hold": _hold,
    "Unhold": _hold,
    "BlindTransfer": _transfer,
    "ParkedCall": _parked,
    "ParkedCallSwap": _parked,
    "UnParkedCall": _parked,
    "ParkedCallTimeOut": _parked,
    "ParkedCallGiveUp": _parked,
    "ContactStatus": _contact_status,
    "UserEvent": _user_event,
    "Shutdown": _shutdown,
}
