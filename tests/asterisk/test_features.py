"""What a phone can dial besides a number, and what happens when the other side cannot answer."""

from __future__ import annotations

import itertools

import pytest

from tests.asterisk.pbx import Pbx, until
from tests.asterisk.phones import Phone, Phones


def test_echo_brings_back_ones_own_voice(pbx: Pbx, phones: Phones) -> None:
    anna = phones.add("200", hertz=610).dial("*43").talking()
    assert anna.hears(610)


def test_a_phone_turns_do_not_disturb_on_and_off_and_says_so(pbx: Pbx, phones: Phones) -> None:
    anna, bert = phones.add("200"), phones.add("201", answer="auto")
    bert.dial("*78").closed()
    assert pbx.ami.dbget("pbxweb-dnd", "201") == "1"
    assert pbx.ami.getvar("DEVICE_STATE(Custom:DND201)") == "BUSY"
    assert until(lambda: pbx.seen("UserEvent", UserEvent="PbxwebFeature", Extension="201", Feature="dnd", Value="1"))
    anna.dial("201")
    assert "486" in anna.closed()
    assert not bert.saw("CALL_INCOMING")
    bert.forget()
    bert.dial("*79").closed()
    assert pbx.ami.dbget("pbxweb-dnd", "201") is None
    assert until(lambda: pbx.seen("UserEvent", UserEvent="PbxwebFeature", Extension="201", Feature="dnd", Value=""))
    anna.forget()
    anna.dial("201").talking()


@pytest.mark.parametrize("by", ["code", "code with a prompt", "page"])
def test_a_forwarded_call_rings_at_the_target_and_shows_who_calls(pbx: Pbx, phones: Phones, by: str) -> None:
    anna, bert, carl = phones.add("200"), phones.add("201"), phones.add("202")
    if by == "page":
        pbx.ami.dbput("pbxweb-cfu", "201", "202")
    elif by == "code":
        bert.dial("*72202").closed()
    else:
        bert.dial("*72").talking().joined()
        bert.press("202#")
        bert.closed()
    assert pbx.ami.dbget("pbxweb-cfu", "201") == "202"
    if by != "page":
        assert pbx.ami.getvar("DEVICE_STATE(Custom:CFU201)") == "INUSE"
        assert until(lambda: pbx.seen("UserEvent", Extension="201", Feature="cfu", Value="202"))
    anna.dial("201")
    incoming = carl.wait("CALL_INCOMING")
    assert incoming["peerdisplayname"] == "Phone 200"
    carl.answer()
    anna.talking()
    assert not bert.saw("CALL_INCOMING")
    anna.hang_up()
    bert.forget()
    bert.dial("*73").closed()
    assert pbx.ami.dbget("pbxweb-cfu", "201") is None


@pytest.mark.parametrize("target", ["299", "201", "*43"])
def test_forwarding_to_nobody_is_refused(pbx: Pbx, phones: Phones, target: str) -> None:
    phones.add("201").dial(f"*72{target}").closed()
    assert pbx.ami.dbget("pbxweb-cfu", "201") is None


def test_a_busy_phone_forwards_when_busy(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = phones.add("200"), phones.add("211", answer="auto"), phones.add("202", answer="auto")
    carl.dial("211").talking()
    pbx.ami.dbput("pbxweb-cfb", "211", "203")
    dora = phones.add("203")
    anna.dial("211")
    dora.answer()
    anna.talking()
    assert len([e for e in bert.events if e["type"] == "CALL_ESTABLISHED"]) == 1


def test_an_unanswered_call_goes_on_after_the_ring_time(pbx: Pbx, phones: Phones) -> None:
    pbx.ami.dbput("pbxweb-cfna", "201", "202")
    anna, bert, carl = phones.add("200"), phones.add("201"), phones.add("202")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    carl.wait("CALL_INCOMING")
    bert.closed()
    carl.answer()
    anna.talking()


@pytest.mark.parametrize("numbers", [("201", "201"), ("201", "202", "201"), ("201", "202", "203", "201")])
def test_a_forwarding_circle_ends_with_an_announcement(pbx: Pbx, phones: Phones, numbers: tuple[str, ...]) -> None:
    for number, target in itertools.pairwise(numbers):
        pbx.ami.dbput("pbxweb-cfu", number, target)
    anna = phones.add("200").dial("201")
    samples, _ = anna.heard(1.0)
    assert len(samples), "an announcement is heard"
    assert "480" in anna.closed()
    assert not pbx.channels()


def test_a_long_chain_of_forwardings_ends(pbx: Pbx, phones: Phones) -> None:
    chain = ["201", "202", "203", "204", "205", "210", "211", "212", "213", "214", "215"]
    for number, target in itertools.pairwise(chain):
        pbx.ami.dbput("pbxweb-cfu", number, target)
    assert "480" in phones.add("200").dial("201").closed()


def test_the_caller_hears_that_a_phone_is_busy(pbx: Pbx, phones: Phones) -> None:
    bert, carl, anna = phones.add("211", answer="auto"), phones.add("202", answer="auto"), phones.add("200")
    carl.dial("211").talking()
    bert.talking()
    anna.dial("211")
    samples, _ = anna.heard(1.0)
    assert len(samples)
    assert "486" in anna.closed()


def test_the_caller_hears_that_a_phone_is_not_there(pbx: Pbx, phones: Phones) -> None:
    anna = phones.add("200").dial("204")
    samples, _ = anna.heard(1.0)
    assert len(samples)
    assert "480" in anna.closed()


def test_a_number_that_nobody_has_is_announced(pbx: Pbx, phones: Phones) -> None:
    anna = phones.add("200").dial("299")
    samples, _ = anna.heard(1.0)
    assert len(samples)
    assert "404" in anna.closed()


def test_a_phone_in_german_hears_german(pbx: Pbx, phones: Phones) -> None:
    phones.add("210").dial("299")
    until(lambda: "de/ss-noservice" in pbx.cli("core show channels verbose") or pbx.channels())
    name = pbx.channels()[0]
    assert pbx.ami.getvar("CHANNEL(language)", name) == "de"


def test_two_devices_on_one_number_both_ring(pbx: Pbx, phones: Phones) -> None:
    desk, mobile, anna = phones.add("201"), phones.add("201"), phones.add("200")
    anna.dial("201")
    desk.wait("CALL_INCOMING")
    mobile.wait("CALL_INCOMING")
    mobile.answer()
    anna.talking()
    desk.closed()
    assert anna.hears(mobile.hertz)


def test_a_call_in_the_group_is_picked_up(pbx: Pbx, phones: Phones) -> None:
    anna, bert, carl = phones.add("200"), phones.add("201"), phones.add("202")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    carl.dial("*8").talking()
    anna.talking()
    bert.closed()
    assert anna.hears(carl.hertz)


def test_another_groups_call_is_not_picked_up_by_group(pbx: Pbx, phones: Phones) -> None:
    anna, bert, other = phones.add("200"), phones.add("201"), phones.add("214")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    other.dial("*8").closed()
    assert not anna.saw("CALL_ESTABLISHED")


def test_a_ringing_phone_is_picked_up_by_its_number(pbx: Pbx, phones: Phones) -> None:
    anna, bert, other = phones.add("200"), phones.add("201"), phones.add("214")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    other.dial("**201").talking()
    anna.talking()
    bert.closed()
    assert anna.hears(other.hertz)


def test_picking_up_where_nothing_rings_ends_at_once(pbx: Pbx, phones: Phones) -> None:
    phones.add("200").dial("**201").closed(8)


def _three_ring(phones: Phones) -> tuple[Phone, Phone, Phone, Phone, Phone]:
    """200 calls 201, which has two devices, and then 203 calls 202."""
    anna, desk, mobile, carl, dora = (phones.add(number) for number in ("200", "201", "201", "202", "203"))
    anna.dial("201")
    desk.wait("CALL_INCOMING")
    mobile.wait("CALL_INCOMING")
    dora.dial("202")
    carl.wait("CALL_INCOMING")
    return anna, desk, mobile, carl, dora


def test_while_several_phones_ring_the_number_says_which_call_is_picked_up(pbx: Pbx, phones: Phones) -> None:
    anna, desk, mobile, carl, dora = _three_ring(phones)
    other = phones.add("214").dial("**202").talking()
    dora.talking()
    carl.closed()
    assert dora.hears(other.hertz)
    assert not any(phone.saw("CALL_CLOSED") for phone in (anna, desk, mobile))
    mobile.answer()
    anna.talking()
    desk.closed()
    assert anna.hears(mobile.hertz)


def test_while_several_phones_ring_each_pickup_of_the_group_takes_one_call(pbx: Pbx, phones: Phones) -> None:
    anna, desk, mobile, carl, dora = _three_ring(phones)
    first, second = phones.add("204").dial("*8").talking(), phones.add("205").dial("*8").talking()
    for phone in (anna, dora):
        phone.talking()
    for phone in (desk, mobile, carl):
        phone.closed()
    heard = until(lambda: next((one for one in (first, second) if anna.hears(one.hertz, timeout=2)), None))
    assert dora.hears((second if heard is first else first).hertz)
