"""Calls begun and ended through the API of the served product, with real phones; and what the history says of them."""

from __future__ import annotations

import time

from tests.asterisk.clicks import originate, sign_in
from tests.asterisk.pbx import until
from tests.asterisk.phones import Phones
from tests.served import Served


def calls(served: Served) -> list[dict[str, object]]:
    answer = served.api("GET", "/calls")
    assert answer.status == 200, answer
    found: list[dict[str, object]] = answer.body["data"]
    return found


def ended(served: Served, key: str) -> dict[str, object]:
    """The call in the history, once it is there."""
    return until(
        lambda: next((row for row in served.history() if row["id"] == key), None), what="the call in the history"
    )  # type: ignore[return-value]


def test_a_click_rings_the_own_phone_and_then_calls(served: Served, handsets: Phones) -> None:
    anna = sign_in(served, handsets, 0)
    bert = sign_in(served, handsets, 1, answer="auto")
    key = originate(served, anna.number, bert.number)
    shown = anna.wait("CALL_INCOMING")
    assert bert.number in str(shown.get("peeruri")), shown
    live = until(lambda: calls(served), what="the call in the live list")
    assert live[0]["id"] == key
    anna.answer()
    bert.talking()
    assert anna.number in str(bert.wait("CALL_ESTABLISHED").get("peeruri"))
    until(lambda: calls(served)[0]["state"] == "answered", what="the live list to say answered")
    (one,) = calls(served)
    assert (one["id"], one["callerNumber"], one["calleeNumber"]) == (key, anna.number, bert.number)
    assert served.api("GET", f"/calls/{key}").body["state"] == "answered"
    time.sleep(1)
    assert served.api("POST", f"/calls/{key}/hangup").status == 204
    anna.closed()
    bert.closed()
    row = ended(served, key)
    assert (row["callerNumber"], row["calleeNumber"], row["disposition"]) == (anna.number, bert.number, "answered")
    assert calls(served) == []
    assert served.api("GET", f"/calls/{key}").body["state"] == "ended"


def test_a_click_rings_every_device_of_the_phone_and_the_first_that_answers_has_the_call(
    served: Served, handsets: Phones
) -> None:
    desk, mobile = sign_in(served, handsets, 0), sign_in(served, handsets, 0)
    bert = sign_in(served, handsets, 1, answer="auto")
    two = f"/extensions/{served.made[0]['id']}/registrations"  # type: ignore[attr-defined]
    until(lambda: len(served.api("GET", two).body["data"]) == 2, what="both devices")
    key = originate(served, desk.number, bert.number)
    for device in (desk, mobile):
        assert bert.number in str(device.wait("CALL_INCOMING").get("peeruri"))
    (ringing,) = calls(served)
    shown = ("id", "direction", "callerNumber", "calleeNumber", "state")
    assert [ringing[field] for field in shown] == [key, "internal", desk.number, bert.number, "ringing"]
    mobile.answer()
    bert.talking()
    assert "200" not in desk.closed()
    assert desk.number in str(bert.wait("CALL_ESTABLISHED").get("peeruri"))
    assert mobile.hears(bert.hertz)
    assert bert.hears(mobile.hertz)
    assert not desk.saw("CALL_ESTABLISHED")
    mobile.hang_up()
    row = ended(served, key)
    assert [row[field] for field in ("callerNumber", "calleeNumber", "direction", "disposition")] == [
        desk.number, bert.number, "internal", "answered",
    ]  # fmt: skip
    legs = served.api("GET", f"/calls/{key}").body["legs"]
    assert sorted((leg["number"], leg["role"], leg["outcome"]) for leg in legs) == [
        (desk.number, "called", "elsewhere"), (desk.number, "calling", "answered"), (bert.number, "called", "answered"),
    ]  # fmt: skip


def test_a_click_that_nobody_takes_up_has_failed(served: Served, handsets: Phones) -> None:
    anna = sign_in(served, handsets, 0)
    key = originate(served, anna.number, "*43")
    anna.wait("CALL_INCOMING")
    anna.hang_up()
    row = ended(served, key)
    assert (row["disposition"], row["calleeNumber"]) == ("failed", "*43")


def test_a_ringing_call_can_be_hung_up(served: Served, handsets: Phones) -> None:
    anna, bert = sign_in(served, handsets, 0), sign_in(served, handsets, 1)
    anna.dial(bert.number)
    bert.wait("CALL_INCOMING")
    (one,) = until(
        lambda: [one for one in calls(served) if one["state"] == "ringing"], what="the ringing call in the live list"
    )
    assert served.api("PUT", f"/calls/{one['id']}/hangup").status == 204
    anna.closed()
    assert ended(served, str(one["id"]))["disposition"] == "missed"


def test_a_phone_that_is_not_there_cannot_be_clicked(served: Served) -> None:
    number = served.made[2]["number"]  # type: ignore[attr-defined]
    answer = served.api("POST", "/calls/originate", {"from": number, "to": "*43"})
    assert answer.status == 409
    assert answer.body["errors"][0]["field"] == "from"


def test_somebody_elses_phone_that_is_not_to_be_disturbed_cannot_be_clicked(served: Served, handsets: Phones) -> None:
    anna = sign_in(served, handsets, 0)
    one = f"/extensions/{served.made[0]['id']}"  # type: ignore[attr-defined]
    until(lambda: served.api("GET", f"{one}/registrations").body["data"], what="the phone to be signed in")
    assert served.api("PATCH", one, {"dndEnabled": True}).status == 200
    answer = served.api("POST", "/calls/originate", {"from": anna.number, "to": "*43"})
    assert served.api("PATCH", one, {"dndEnabled": False}).status == 200
    assert answer.status == 409
    assert "do not disturb" in answer.body["errors"][0]["message"]
    assert not anna.saw("CALL_INCOMING")


def test_an_ended_call_is_in_the_history_within_two_seconds(served: Served, handsets: Phones) -> None:
    anna = sign_in(served, handsets, 0)
    before = {row["id"] for row in served.history()}
    anna.dial("*43").talking()
    anna.hang_up().closed()
    until(lambda: {row["id"] for row in served.history()} - before, what="the call in the history")
