"""From what a real Asterisk wrote to the one row that a person sees."""

from __future__ import annotations

import json
from itertools import zip_longest

import pytest

from pbxweb.calls.cel import Event
from pbxweb.calls.fold import Folded, fold
from pbxweb.calls.streams import Streams
from tests.calls.recorded import all_rows, events, rows


def folded(name: str) -> list[Folded]:
    streams = Streams()
    calls = [fold(found) for event in events(rows(name)) if (found := streams.feed(event))]
    assert not streams.open
    return [call for call in calls if call]


def one(name: str) -> Folded:
    (call,) = folded(name)
    return call


@pytest.mark.parametrize(
    ("name", "disposition", "called", "answered_by"),
    [
        ("cancelled", "missed", "102", ""),
        ("busy", "busy", "102", ""),
        ("unknown", "failed", "999", ""),
        ("echo", "answered", "*43", ""),
        ("transferred", "answered", "102", "102"),
        ("picked up", "answered", "102", "103"),
        ("forwarded", "answered", "102", "103"),
        ("rang two", "answered", "600", "103"),
        ("parked", "answered", "102", "102"),
        ("clicked", "answered", "102", "102"),
        ("clicked and declined", "failed", "102", ""),
    ],
)
def test_it_is_one_call_with_the_outcome_a_person_would_name(
    name: str, disposition: str, called: str, answered_by: str
) -> None:
    call = one(name)
    assert (call.direction, call.caller_number) == ("internal", "101")
    assert (call.disposition, call.called_number, call.answered_by) == (disposition, called, answered_by)


def test_it_keeps_the_times_that_asterisk_measured() -> None:
    call = one("transferred")
    assert call.started == 1795260398_245678
    assert call.answered == 1795260398_744549
    assert call.ended == 1795260401_746905
    assert (call.ring_seconds, call.talk_seconds) == (0, 3)


def test_a_transfer_is_a_step_and_its_phones_are_legs() -> None:
    call = one("transferred")
    assert [(step.what, step.by, step.to) for step in call.steps] == [("transferred", "102", "103")]
    assert [(leg.number, leg.role, leg.outcome) for leg in call.legs] == [
        ("101", "calling", "answered"),
        ("102", "called", "answered"),
        ("103", "called", "answered"),
    ]


@pytest.mark.parametrize(
    "target", [("PJSIP/202-00000002", "1.4"), ("Local/202@pbxweb-phones-00000000;1", "1.2"), ("N/A", "N/A")]
)
def test_a_consultation_says_to_whom_however_asterisk_names_the_target(target: tuple[str, str]) -> None:
    """A helper channel may still stand between, and at times Asterisk names nobody."""
    names = {
        "1.0": "PJSIP/200-00000000",
        "1.1": "PJSIP/201-00000001",
        "1.2": "Local/202@pbxweb-phones-00000000;1",
        "1.4": "PJSIP/202-00000002",
    }

    def happened(n: int, kind: str, uniqueid: str, exten: str = "", **more: str) -> Event:
        return Event(n, kind, n * 1_000_000, names[uniqueid], uniqueid, "1.0", exten=exten, extra=json.dumps(more))

    call = fold(
        [
            happened(1, "CHAN_START", "1.0", "201"),
            happened(2, "CHAN_START", "1.1"),
            happened(3, "BRIDGE_ENTER", "1.0", bridge_id="first"),
            happened(4, "BRIDGE_ENTER", "1.1", bridge_id="first"),
            happened(5, "CHAN_START", "1.2", "202"),
            happened(6, "BRIDGE_EXIT", "1.1", bridge_id="first"),
            happened(7, "BRIDGE_ENTER", "1.2", bridge_id="second"),
            happened(8, "BRIDGE_ENTER", "1.1", bridge_id="second"),
            happened(9, "CHAN_START", "1.4"),
            happened(10, "BRIDGE_EXIT", "1.2", bridge_id="second"),
            happened(11, "BRIDGE_ENTER", "1.2", bridge_id="first"),
            happened(
                12, "ATTENDEDTRANSFER", "1.1", bridge1_id="first", bridge2_id="second",
                transferee_channel_uniqueid="1.0", transfer_target_channel_name=target[0],
                transfer_target_channel_uniqueid=target[1],
            ),
        ]
    )  # fmt: skip
    assert call
    assert [(step.what, step.by, step.to) for step in call.steps] == [("transferred", "201", "202")]


def test_a_pickup_leaves_the_phone_that_rang_with_answered_elsewhere() -> None:
    call = one("picked up")
    assert [(step.what, step.by, step.to) for step in call.steps] == [("picked up", "103", "102")]
    assert {leg.number: leg.outcome for leg in call.legs}["102"] == "elsewhere"


def test_of_two_phones_that_rang_the_other_one_says_answered_elsewhere() -> None:
    assert {leg.number: leg.outcome for leg in one("rang two").legs} == {
        "101": "answered",
        "102": "elsewhere",
        "103": "answered",
    }


def test_of_two_devices_that_a_click_rang_the_one_that_answered_is_the_caller() -> None:
    assert [(leg.number, leg.role, leg.outcome) for leg in one("clicked").legs] == [
        ("101", "called", "elsewhere"),
        ("101", "calling", "answered"),
        ("102", "called", "answered"),
    ]


def test_a_parked_call_that_was_fetched_is_one_call() -> None:
    assert [(step.what, step.by, step.to) for step in one("parked").steps] == [
        ("parked", "102", "101"),
        ("fetched", "103", "101"),
    ]


def test_a_call_under_which_asterisk_died_ends_when_it_died() -> None:
    given = events(rows("killed"))
    call = fold(given, cut_at=given[-1].at + 7_000_000)
    assert call is not None
    assert (call.disposition, call.cut, call.talk_seconds) == ("answered", True, 7)


def test_a_call_that_only_rang_when_asterisk_died_was_missed() -> None:
    given = events(rows("killed"))[:2]
    call = fold(given, cut_at=given[-1].at)
    assert call is not None
    assert (call.disposition, call.answered) == ("missed", None)


def test_a_line_outside_makes_the_call_incoming_or_outgoing() -> None:
    given = rows("cancelled")
    incoming = events([[cell.replace("PJSIP/101-", "PJSIP/line-1-") for cell in row] for row in given])
    outgoing = events([[cell.replace("PJSIP/102-", "PJSIP/line-1-") for cell in row] for row in given])
    assert [call.direction for call in (fold(incoming), fold(outgoing)) if call] == ["inbound", "outbound"]


def test_events_without_a_beginning_are_no_call() -> None:
    assert fold(events(rows("echo"))[3:]) is None


def test_calls_at_the_same_time_are_kept_apart() -> None:
    turns = zip_longest(*(rows(name) for name in ("transferred", "busy", "echo")))
    together = [row for turn in turns for row in turn if row]
    streams = Streams()
    ended = [found for event in events(together) if (found := streams.feed(event))]
    assert sorted(len(found) for found in ended) == sorted(len(rows(name)) for name in ("transferred", "busy", "echo"))


def test_nothing_is_left_open_but_the_call_that_was_cut() -> None:
    streams = Streams()
    for event in events(all_rows()):
        streams.feed(event)
    assert {event.linkedid for event in streams.open} == {row[8] for row in rows("killed")}
