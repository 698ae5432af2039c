"""What clients hear of calls under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pbxweb.calls.live import Translator, end_reason
from pbxweb.calls.models import call_id
from pbxweb.live.model import Call, CallChange, Channel, Rules, derive

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = Call(id="1795260365.0", from_number="201", to_number="202", state="initiated", started=BEGIN)


def heard(*changes: CallChange) -> list[str]:
    translator = Translator()
    return [event["type"] for change in changes for event in translator.events(change)]


def changed(state: str, kind: str = "changed") -> CallChange:
    return CallChange(kind, replace(CALL, state=state, answered=BEGIN + timedelta(seconds=5)))


def test_a_call_is_told_from_its_beginning_to_its_end() -> None:
    assert heard(
        CallChange("new", CALL), changed("ringing"), changed("answered"), changed("held"), changed("answered"),
        changed("parked"), changed("ended", "ended"),
    ) == [
        "CALL_CREATED", "CALL_RINGING", "CALL_ANSWERED", "CALL_HELD", "CALL_UNHELD", "CALL_PARKED", "CALL_ENDED",
    ]  # fmt: skip


def test_a_call_that_was_under_way_before_is_created_with_its_state() -> None:
    assert heard(changed("answered")) == ["CALL_CREATED", "CALL_ANSWERED"]


def test_nothing_new_is_not_told() -> None:
    assert heard(CallChange("new", CALL), CallChange("changed", CALL)) == ["CALL_CREATED"]


def test_a_call_that_became_part_of_another_says_of_which() -> None:
    translator = Translator()
    translator.events(CallChange("new", CALL))
    (event,) = translator.events(CallChange("merged", CALL, into="1795260365.7"))
    assert event == {
        "type": "CALL_MERGED",
        "data": {"callId": call_id("1795260365.0"), "into": call_id("1795260365.7")},
    }


def test_the_end_has_its_duration_and_reason() -> None:
    call = replace(CALL, answered=BEGIN + timedelta(seconds=5), ended=BEGIN + timedelta(seconds=65), cause=16)
    translator = Translator()
    translator.events(CallChange("new", CALL))
    (event,) = translator.events(CallChange("ended", call))
    assert (event["data"]["duration"], event["data"]["endReason"]) == (60, "completed")


@pytest.mark.parametrize("kind", ["ended", "merged"])
def test_the_end_of_a_call_that_was_never_told_of_is_not_told(kind: str) -> None:
    assert heard(CallChange(kind, CALL), changed("ringing")) == ["CALL_CREATED", "CALL_RINGING"]


def test_a_click_is_told_once_a_phone_rings_and_answered_once_two_talk() -> None:
    helper = Channel("key", CALL.id, "Local/202@pbxweb-click-00000001;1", "Local", "202@pbxweb-click", dialled="202")
    phone = Channel("1.1", CALL.id, "PJSIP/201-00000001", "PJSIP", "201", "ringing", "201", dialled="202")
    taken = replace(phone, state="up", answered=BEGIN)
    other = Channel("1.2", CALL.id, "PJSIP/202-00000002", "PJSIP", "202", "ringing", "202")
    joined = [replace(taken, bridge="b"), replace(other, state="up", answered=BEGIN + timedelta(seconds=4), bridge="b")]
    call, changes = Call(CALL.id), []
    for legs in ([helper], [helper, phone], [helper, taken], [taken], [taken, other], joined):
        call = derive(call, legs, {}, Rules())
        changes.append(CallChange("changed", call))
    assert heard(*changes) == ["CALL_CREATED", "CALL_RINGING", "CALL_ANSWERED"]
    assert (call.from_number, call.to_number, call.direction) == ("201", "202", "internal")
    assert call.answered == BEGIN + timedelta(seconds=4)


def test_a_reason_for_every_end() -> None:
    reasons = {cause: end_reason(replace(CALL, cause=cause)) for cause in (17, 21, 16, 127, 19, 20, 1, 34)}
    assert reasons == {
        17: "busy", 21: "busy", 16: "cancelled", 127: "cancelled", 19: "no-answer", 20: "no-answer", 1: "failed",
        34: "failed",
    }  # fmt: skip


def test_a_call_keeps_its_id_from_the_first_ring_to_the_history() -> None:
    own = "6f0c1f54-6d6f-5a0e-9d53-3a1f0a7f3f10"
    assert call_id(own) == own
    assert call_id("1795260365.0") == call_id("1795260365.0") != call_id("1795260365.1")
