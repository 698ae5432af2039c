"""The reducer, whatever comes in whatever order: it never raises, never leaks, and a replay changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from pbxweb.asterisk.ami_guard import genuine, repaired, unfinished
from pbxweb.asterisk.ami_messages import Event, encode, moment, parse
from pbxweb.live.model import CallChange, Rules, State, endpoint_of, started_at
from pbxweb.live.state import reduce

IDS = [f"1795260299.{number}" for number in range(5)]
NAMES = ["PJSIP/101-00000000", "PJSIP/102-00000001", "Local/5@x-00000001;1", "PJSIP/my-line-0000000a", "odd"]
BRIDGES = ["", "b1", "b2"]


def channel_headers(prefix: str, uniqueid: str, linkedid: str, name: str, state: str, number: str) -> dict[str, str]:
    return {
        prefix + "Channel": name,
        prefix + "ChannelState": state,
        prefix + "CallerIDNum": number,
        prefix + "CallerIDName": "O\\'Brien",
        prefix + "ConnectedLineNum": "<unknown>",
        prefix + "Exten": "102",
        prefix + "Uniqueid": uniqueid,
        prefix + "Linkedid": linkedid,
    }


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event as Asterisk could send it, with a few channels that meet again and again; sometimes a broken one."""
    name = draw(
        st.sampled_from(
            [
                *["Newchannel"] * 4, "Newstate", "NewCallerid", "NewConnectedLine", *["Hangup"] * 3, "DialBegin",
                "BridgeEnter", "BridgeLeave", "Hold", "Unhold", "BlindTransfer", "ParkedCall", "UnParkedCall",
                "ParkedCallGiveUp", "ParkedCallTimeOut", "Rename", "ContactStatus", "UserEvent", "Shutdown", "Unheard",
            ]
        )
    )  # fmt: skip
    headers: dict[str, str | tuple[str, ...]] = {
        "Event": name,
        "Timestamp": draw(st.sampled_from(["1795260300.1", "", "x"])),
    }
    for prefix in draw(st.sampled_from([("",), ("", "Dest"), ("Transferee",), ("Parkee",), ()])):
        headers |= channel_headers(
            prefix,
            draw(st.sampled_from(IDS)),
            draw(st.sampled_from([*IDS, ""])),
            draw(st.sampled_from(NAMES)),
            draw(st.sampled_from(["0", "4", "5", "6", "99", "", "x"])),
            draw(st.sampled_from(["101", "", "<unknown>"])),
        )
    headers |= {
        "BridgeUniqueid": draw(st.sampled_from(BRIDGES)),
        "Cause": draw(st.sampled_from(["16", "", "x"])),
        "Result": draw(st.sampled_from(["Success", "Fail"])),
        "Extension": "103",
        "ParkingSpace": "701",
        "Newname": draw(st.sampled_from(NAMES)),
        "AOR": draw(st.sampled_from(["101", "102"])),
        "URI": draw(st.sampled_from(["sip:101@127.0.0.1:5", "sips:x@[::1]:7;transport=ws", "odd"])),
        "ContactStatus": draw(st.sampled_from(["Reachable", "Removed", "Unreachable"])),
        "RoundtripUsec": draw(st.sampled_from(["", "0", "1500", "x"])),
    }
    return Event(headers)


def assert_sound(state: State) -> None:
    members = {channel.uniqueid: call.id for call in state.calls.values() for channel in call.channels}
    assert set(members) == set(state.channels)
    for uniqueid, call_id in members.items():
        assert state.channels[uniqueid].linkedid == call_id
        assert state.channels[uniqueid] in state.calls[call_id].channels
    assert set(state.parked) <= set(state.channels)
    for call in state.calls.values():
        assert call.legs
        assert call.state != "ended"


@settings(max_examples=300, deadline=None)
@given(st.lists(events(), max_size=40))
def test_any_events_in_any_order_keep_the_state_sound(given_events: list[Event]) -> None:
    state, open_calls = State(), set()
    for event in given_events:
        before = state
        state, changes = reduce(state, event)
        assert_sound(state)
        for change in changes:
            if isinstance(change, CallChange):
                assert (change.kind == "new") == (change.call.id not in open_calls)
                if change.kind in ("ended", "merged"):
                    open_calls.discard(change.call.id)
                else:
                    open_calls.add(change.call.id)
        assert set(state.calls) == open_calls
        assert before.channels is not state.channels or before.channels == state.channels


@settings(max_examples=150, deadline=None)
@given(st.lists(events(), max_size=40))
def test_when_every_channel_has_hung_up_nothing_is_left(given_events: list[Event]) -> None:
    state = State()
    for event in given_events:
        state, _ = reduce(state, event)
    ended = 0
    for uniqueid in list(state.channels):
        state, changes = reduce(state, Event({"Event": "Hangup", "Uniqueid": uniqueid, "Timestamp": "1795260301.5"}))
        ended += sum(1 for change in changes if isinstance(change, CallChange) and change.kind == "ended")
    assert not state.channels
    assert not state.calls
    assert not state.parked


def test_an_event_from_before_the_rebuild_changes_nothing() -> None:
    made = channel_headers("", IDS[0], IDS[0], NAMES[0], "4", "101")
    state = State(at=moment("1795260300.5"))
    old, _ = reduce(state, Event({"Event": "Newchannel", "Timestamp": "1795260300.4", **made}))
    assert old is state
    new, changes = reduce(state, Event({"Event": "Newchannel", "Timestamp": "1795260300.6", **made}))
    assert len(changes) == 1
    assert set(new.channels) == {IDS[0]}


def test_a_line_is_what_the_rules_say() -> None:
    made = channel_headers("", IDS[0], IDS[0], "PJSIP/700-00000000", "4", "0301234")
    event = Event({"Event": "Newchannel", **made})
    assert reduce(State(), event)[0].calls[IDS[0]].direction == "internal"
    rules = Rules(is_line=lambda endpoint: endpoint == "700")
    assert reduce(State(), event, rules)[0].calls[IDS[0]].direction == "inbound"


def test_a_call_that_moves_into_another_is_told_as_merged() -> None:
    first = Event({"Event": "Newchannel", **channel_headers("", IDS[0], IDS[0], NAMES[0], "6", "101")})
    second = Event({"Event": "Newchannel", **channel_headers("", IDS[1], IDS[1], NAMES[1], "6", "102")})
    joined = channel_headers("", IDS[1], IDS[0], NAMES[1], "6", "102")
    state, _ = reduce(reduce(State(), first)[0], second)
    state, changes = reduce(state, Event({"Event": "BridgeEnter", "BridgeUniqueid": "b1", **joined}))
    assert [(one.kind, one.call.id) for one in changes] == [("merged", IDS[1]), ("changed", IDS[0])]
    assert changes[0].into == IDS[0]
    assert len(state.calls[IDS[0]].legs) == 2


def test_names_of_channels_are_taken_apart() -> None:
    assert endpoint_of("PJSIP/101-0000002a") == ("PJSIP", "101")
    assert endpoint_of("PJSIP/my-line-0000002a") == ("PJSIP", "my-line")
    assert endpoint_of("Local/*43@phones-00000001;2") == ("Local", "*43@phones")
    assert endpoint_of("odd") == ("", "odd")
    assert started_at("system-1795260299.7") == datetime(2026, 11, 21, 11, 24, 59, tzinfo=UTC)
    assert started_at("click.1") is None


HEADER_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=60)


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,20}\Z"), HEADER_TEXT, min_size=1, max_size=6))
def test_what_is_sent_is_what_is_read(headers: dict[str, str]) -> None:
    assert parse(encode(headers.items())[:-4].decode()) == headers


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    block = data.decode("utf-8", "replace")
    unfinished(block)
    headers = parse(repaired(block))
    if "Event" in headers:
        genuine(headers, True)
        event = Event(headers)
        state, _ = reduce(State(), event)
        assert_sound(replace(state))
