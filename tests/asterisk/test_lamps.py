"""Busy lamps: what a subscribed phone is told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.asterisk.pbx import Pbx, until
from tests.asterisk.phones import Phones
from tests.asterisk.sipuser import SipUser

DIALOG = "application/dialog-info+xml"
PRESENCE = "application/pidf+xml"


def _states(user: SipUser) -> list[str]:
    found = [re.search(r"<state>(\w+)</state>", message.body) for message in user.notified]
    return [match[1] for match in found if match]


def test_a_lamp_follows_a_call(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    watcher, anna, bert = sip("203"), phones.add("200"), phones.add("201")
    assert watcher.register() == 200
    assert watcher.subscribe("201", "dialog", DIALOG) == 200
    until(lambda: _states(watcher)[-1:] == ["terminated"], what="a free phone's lamp to be off")
    anna.dial("201")
    until(lambda: _states(watcher)[-1] == "early", what="the lamp to blink")
    bert.answer()
    until(lambda: _states(watcher)[-1] == "confirmed", what="the lamp to be on")
    anna.hang_up()
    until(lambda: _states(watcher)[-1] == "terminated", what="the lamp to go off")


def test_a_lamp_shows_do_not_disturb(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    watcher, bert = sip("203"), phones.add("201")
    assert watcher.subscribe("201", "dialog", DIALOG) == 200
    bert.dial("*78").closed()
    until(lambda: _states(watcher)[-1:] == ["confirmed"], what="the lamp to be on")
    bert.forget()
    bert.dial("*79").closed()
    until(lambda: _states(watcher)[-1] == "terminated", what="the lamp to be off")


def test_a_lamp_shows_a_forwarding(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    watcher, bert = sip("203"), phones.add("201")
    assert watcher.subscribe("*72201", "dialog", DIALOG) == 200
    bert.dial("*72202").closed()
    until(lambda: _states(watcher)[-1] == "confirmed")
    bert.forget()
    bert.dial("*73").closed()
    until(lambda: _states(watcher)[-1] == "terminated")


def test_presence_follows_a_call(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    watcher, anna, bert = sip("203"), phones.add("200"), phones.add("201", answer="auto")
    assert watcher.subscribe("201", "presence", PRESENCE) == 200
    until(lambda: watcher.notified and "Ready" in watcher.notified[-1].body)
    anna.dial("201")
    bert.talking()
    until(lambda: "On the phone" in watcher.notified[-1].body)


def test_a_phone_that_is_not_there_is_shown_as_away(pbx: Pbx, sip: Callable[..., SipUser]) -> None:
    watcher = sip("203")
    assert watcher.subscribe("204", "presence", PRESENCE) == 200
    until(lambda: watcher.notified)
    assert "closed" in watcher.notified[-1].body


def test_a_parking_place_has_a_lamp(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    watcher, anna, bert = sip("203"), phones.add("200"), phones.add("201", answer="auto")
    assert watcher.subscribe("701", "dialog", DIALOG) == 200
    anna.dial("201").talking()
    bert.talking()
    bert.transfer("700")
    until(lambda: "confirmed" in _states(watcher), what="the place's lamp to be on")


@pytest.mark.parametrize("number", ["299", "*43", "0"])
def test_nothing_else_can_be_watched(pbx: Pbx, sip: Callable[..., SipUser], number: str) -> None:
    assert sip("203").subscribe(number, "dialog", DIALOG) == 404
