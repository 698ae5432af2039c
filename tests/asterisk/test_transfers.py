"""Transfers by the phone and by code, and parking: who hears whom afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from pbxweb.asterisk.sounds import CHORDS
from tests.asterisk.pbx import Pbx, rows, until
from tests.asterisk.phones import Phone, Phones
from tests.asterisk.sipuser import SipUser
from tests.asterisk.sound import share


def _talk(phones: Phones) -> tuple[Phone, Phone, Phone]:
    anna, bert, carl = (phones.add(number) for number in ("200", "201", "202"))
    anna.dial("201")
    bert.answer()
    anna.talking().joined()
    bert.talking().joined()
    return anna, bert, carl


def _joined(one: Phone, other: Phone) -> None:
    assert one.hears(other.hertz)
    assert other.hears(one.hertz)


def test_blind_transfer_with_the_phones_key(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    bert.transfer("202")
    carl.answer()
    bert.closed()
    _joined(anna, carl)
    assert until(lambda: rows(pbx.settings.cel_database, "SELECT * FROM cel WHERE eventtype = 'BLINDTRANSFER'"))


def test_blind_transfer_by_code_from_the_called(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    bert.press("##")
    time.sleep(2.5)
    bert.press("202")
    carl.wait("CALL_INCOMING")
    carl.answer()
    bert.closed()
    _joined(anna, carl)


def test_attended_transfer_by_code_from_the_caller(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    anna.press("*2")
    time.sleep(2.5)
    anna.press("202")
    carl.wait("CALL_INCOMING")
    carl.answer()
    assert carl.hears(anna.hertz), "the consultation"
    anna.hang_up()
    _joined(bert, carl)
    assert until(lambda: rows(pbx.settings.cel_database, "SELECT * FROM cel WHERE eventtype = 'ATTENDEDTRANSFER'"))


def test_attended_transfer_with_the_phones_key(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    anna, carl = phones.add("201", answer="auto"), phones.add("202", answer="auto")
    desk = sip("200")
    assert desk.register() == 200
    first, second = desk.invite("201"), desk.invite("202")
    assert first.final and second.final and first.final.status == second.final.status == 200
    assert desk.refer(first, desk.replaces(second)) == 202
    _joined(anna, carl)


def test_a_transfer_reaches_someone_who_was_in_the_call_before(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    bert.transfer("202")
    carl.answer()
    bert.closed()
    carl.talking()
    bert.forget()
    carl.transfer("201")
    bert.answer()
    _joined(anna, bert)


def test_a_call_is_parked_and_fetched(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    bert.transfer("700")
    until(lambda: pbx.seen("ParkedCall", ParkingSpace="701"))
    bert.closed()
    carl.dial("701").talking()
    _joined(anna, carl)


def test_a_call_is_parked_by_code_and_the_place_is_said(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = _talk(phones)
    bert.press("##")
    time.sleep(2.5)
    bert.press("700")
    until(lambda: pbx.seen("ParkedCall", ParkingSpace="701"))
    samples, _ = bert.heard(0.5)
    assert len(samples)
    bert.closed()
    carl.dial("701").talking()
    _joined(anna, carl)


def test_an_empty_parking_place_says_so(pbx: Pbx, phones: Phones) -> None:
    phones.add("200").dial("705").closed()


@pytest.fixture
def soon(pbx: Pbx) -> Iterator[None]:
    """A parked call comes back after three seconds, not after two minutes."""
    path = pbx.settings.asterisk_etc / "res_parking.conf"
    written = path.read_text()
    assert "parkingtime = 120\n" in written
    path.write_text(written.replace("parkingtime = 120\n", "parkingtime = 3\n"))
    pbx.ami.reload("res_parking.so")
    yield
    path.write_text(written)
    pbx.ami.reload("res_parking.so")


def test_who_is_parked_hears_music(pbx: Pbx, phones: Phones) -> None:
    anna, bert, _ = _talk(phones)
    assert anna.hears(bert.hertz)
    bert.transfer("700")
    until(lambda: pbx.seen("ParkedCall", ParkingSpace="701"))
    bert.closed()
    samples, rate = anna.heard(1.5)
    notes = {note for chord in CHORDS for note in chord}
    assert max(share(samples, rate, note, width=12) for note in notes) > 0.15
    assert share(samples, rate, bert.hertz) < 0.05


@pytest.mark.usefixtures("soon")
def test_a_call_that_nobody_fetches_rings_every_device_of_who_parked_it(pbx: Pbx, phones: Phones) -> None:
    anna, bert, _ = _talk(phones)
    mobile = phones.add("201")
    bert.forget()
    bert.transfer("700")
    until(lambda: pbx.seen("ParkedCall", ParkingSpace="701"))
    bert.closed()
    for device in (bert, mobile):
        assert device.wait("CALL_INCOMING")["peerdisplayname"] == "Phone 200"
    mobile.answer().talking()
    bert.wait("CALL_CLOSED", count=2)
    _joined(anna, mobile)


@pytest.mark.usefixtures("soon")
def test_a_call_that_nobody_fetches_is_told_when_who_parked_it_has_gone(pbx: Pbx, phones: Phones) -> None:
    anna, bert, _ = _talk(phones)
    bert.transfer("700")
    bert.closed()
    bert.close()
    until(lambda: not pbx.ami.getvar("PJSIP_DIAL_CONTACTS(201)"), what="the phone to be gone")
    anna.closed()
    assert not pbx.channels()
