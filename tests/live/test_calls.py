"""What the live state says of real calls on a real Asterisk, and that a rebuild says the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pbxweb.asterisk.ami import one_shot
from pbxweb.live.model import CallChange, Rules, State
from pbxweb.live.rebuild import rebuild
from tests.live.conftest import Watch
from tests.live.sip_phone import SipPhone
from tests.live.small_asterisk import SECRET, SmallAsterisk

Phone = Callable[..., SipPhone]
CLOSE = timedelta(seconds=2.5)


def near(one: datetime | None, other: datetime | None) -> bool:
    return one == other or bool(one and other and abs(one - other) <= CLOSE)


def assert_rebuild_agrees(watch: Watch) -> None:
    """A state that is rebuilt from nothing equals the one that was reduced: times to the second or two."""
    reduced, rebuilt = watch.state, rebuild(watch.link, Rules(), State())
    assert set(rebuilt.channels) == set(reduced.channels)
    assert rebuilt.parked == reduced.parked
    assert set(rebuilt.contacts) == set(reduced.contacts)
    for key, fresh in rebuilt.channels.items():
        known = reduced.channels[key]
        assert near(fresh.created, known.created), (fresh, known)
        assert near(fresh.answered, known.answered), (fresh, known)
        assert replace(fresh, created=None, answered=None, dialled="") == replace(
            known, created=None, answered=None, dialled=""
        )
    assert set(rebuilt.calls) == set(reduced.calls)
    for key, call in rebuilt.calls.items():
        other = reduced.calls[key]
        assert call.visible()[:7] == other.visible()[:7]
        assert call.caller == other.caller
        assert near(call.started, other.started)
        assert near(call.answered, other.answered)


def changes(watch: Watch) -> list[tuple[str, str]]:
    told = watch.news()
    return [(change.kind, change.call.state) for change in told if isinstance(change, CallChange)]


def channel(watch: Watch, endpoint: str) -> str:
    return next(leg.name for leg in watch.state.channels.values() if leg.endpoint == endpoint)


def test_a_call_rings_is_answered_held_and_ends(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one, other = phone(asterisk, "101"), phone(asterisk, "102", answer="manual")
    changes(watch)
    before = datetime.now(UTC)
    dialog = one.call("102")
    call = watch.call("ringing")
    assert (call.from_number, call.from_name, call.to_number) == ("101", "Phone 101", "102")
    assert (call.direction, call.answered) == ("internal", None)
    assert before <= (call.started or before) <= datetime.now(UTC)
    assert_rebuild_agrees(watch)
    other.pick_up()
    answered = watch.until(lambda now: all(leg.bridge for leg in now.channels.values())).calls[call.id]
    assert answered.state == "answered"
    assert answered.to_name == "Phone 102"
    assert call.started < answered.answered <= datetime.now(UTC)
    assert [leg.endpoint for leg in answered.legs] == ["101", "102"]
    assert_rebuild_agrees(watch)
    one.hold(dialog)
    assert [leg.endpoint for leg in watch.call("held").legs if leg.held] == ["101"]
    watch.until(lambda now: _holders(watch) == ["101"])
    assert_rebuild_agrees(watch)
    one.hold(dialog, "sendrecv")
    watch.call("answered")
    one.hang_up(dialog)
    watch.quiet()
    told = changes(watch)
    assert told[0] == ("new", "initiated")
    assert told[-1] == ("ended", "ended")
    states = [state for kind, state in told]
    assert [one for number, one in enumerate(states) if number == 0 or states[number - 1] != one] == [
        "initiated", "ringing", "answered", "held", "answered", "ended",
    ]  # fmt: skip


def _holders(watch: Watch) -> list[str]:
    found = rebuild(watch.link, Rules(), State())
    return [leg.endpoint for leg in found.channels.values() if leg.held]


def test_the_end_of_a_call_keeps_who_it_was(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    line = phone(asterisk, "trunk-line")
    phone(asterisk, "102")
    dialog = line.call("102", name="Eve")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    call = watch.call("answered")
    assert (call.direction, call.from_name, call.to_number) == ("inbound", "Eve", "102")
    assert_rebuild_agrees(watch)
    watch.news()
    line.hang_up(dialog)
    watch.quiet()
    ended = [one for one in watch.news() if isinstance(one, CallChange)][-1].call
    assert (ended.state, ended.direction, ended.from_name, ended.to_number) == ("ended", "inbound", "Eve", "102")
    assert ended.cause == 16
    assert call.answered < ended.ended <= datetime.now(UTC)


def test_a_call_to_a_line_is_outbound(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    phone(asterisk, "trunk-line")
    one = phone(asterisk, "101")
    one.call("0555123")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    call = watch.call("answered")
    assert (call.direction, call.from_number, call.to_number) == ("outbound", "101", "0555123")
    assert_rebuild_agrees(watch)


def test_a_blind_transfer_stays_one_call(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one = phone(asterisk, "101")
    phone(asterisk, "102")
    third = phone(asterisk, "103", answer="manual")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    call = watch.call("answered")
    watch.link.send("BlindTransfer", {"Channel": channel(watch, "102"), "Context": "phones", "Exten": "103"})
    assert third.rung.wait(30)
    waiting = watch.until(lambda now: {leg.state for leg in now.channels.values()} == {"up", "ringing"})
    assert waiting.calls[call.id].state == "transferred"
    assert waiting.calls[call.id].to_number == "103"
    third.pick_up()
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    after = watch.call("answered")
    assert (after.id, after.from_number, after.to_number) == (call.id, "101", "103")
    assert after.answered == call.answered
    assert_rebuild_agrees(watch)


def test_a_blind_transfer_by_the_caller_leaves_the_others(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one = phone(asterisk, "101")
    phone(asterisk, "102")
    phone(asterisk, "103")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    watch.link.send("BlindTransfer", {"Channel": channel(watch, "101"), "Context": "phones", "Exten": "103"})
    watch.until(lambda now: {leg.endpoint for leg in now.channels.values() if leg.bridge} == {"102", "103"})
    call = watch.call("answered")
    assert (call.from_number, call.to_number) == ("102", "103")
    assert_rebuild_agrees(watch)


def test_two_calls_that_are_joined_become_one(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one, middle = phone(asterisk, "101"), phone(asterisk, "102")
    phone(asterisk, "103")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    middle.call("103")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 4)
    assert_rebuild_agrees(watch)
    watch.link.send("Bridge", {"Channel1": channel(watch, "101"), "Channel2": channel(watch, "103")})
    joined = watch.until(lambda now: len(now.calls) == 1 and len(now.channels) == 2)
    (call,) = joined.calls.values()
    assert (call.from_number, call.to_number) == ("101", "103")
    assert_rebuild_agrees(watch)


def test_an_attended_transfer_becomes_one_call(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one, middle = phone(asterisk, "101"), phone(asterisk, "102")
    phone(asterisk, "103")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    first = next(iter(middle.dialogs))
    second = middle.call("103")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 4)
    middle.wait_answered(second)
    middle.transfer(first, second, "103")
    joined = watch.until(
        lambda now: len(now.calls) == 1 and {leg.endpoint for leg in now.channels.values()} == {"101", "103"}
    )
    (call,) = joined.calls.values()
    call = watch.until(lambda now: now.calls[call.id].to_number == "103").calls[call.id]
    assert (call.from_number, call.state) == ("101", "answered")
    assert_rebuild_agrees(watch)


def test_a_parked_call_says_where(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one = phone(asterisk, "101")
    phone(asterisk, "102")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    watch.link.send("Park", {"Channel": channel(watch, "101")})
    parked = watch.until(lambda now: len(now.channels) == 1 and now.parked)
    (call,) = parked.calls.values()
    assert (call.state, call.parked_at) == ("parked", "701")
    assert_rebuild_agrees(watch)
    one.hang_up()
    watch.quiet()


def test_click_to_call_names_both(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    phone(asterisk, "101")
    phone(asterisk, "103")
    watch.link.originate("PJSIP/101", context="phones", exten="103", channel_id="click.1")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    call = watch.call("answered")
    assert (call.id, call.from_number, call.to_number) == ("click.1", "101", "103")
    assert_rebuild_agrees(watch)


def test_a_feature_code_is_published(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    told = watch.bus.subscribe(["features"])
    phone(asterisk, "101").call("*78")
    feature = told.get(5).payload
    assert (feature.name, feature.headers["Code"], feature.headers["Extension"]) == ("Feature", "*78", "101")
    assert abs(feature.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_echo_is_a_call_of_one(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    one = phone(asterisk, "101")
    one.call("*43")
    call = watch.call("answered")
    assert (call.from_number, call.to_number, len(call.legs)) == ("101", "*43", 1)
    assert_rebuild_agrees(watch)


def test_a_device_is_described_when_it_signs_in_and_gone_when_it_signs_out(
    asterisk: SmallAsterisk, watch: Watch, phone: Phone
) -> None:
    one = phone(asterisk, "103", agent="A phone/2.0 (status will follow)")
    found = watch.until(lambda now: any(each.expires for each in now.contacts_of("103")))
    (contact,) = found.contacts_of("103")
    assert (contact.user_agent, contact.transport) == ("A phone/2.0 (status will follow)", "udp")
    assert (contact.address, contact.port) == ("127.0.0.1", one.port)
    assert timedelta(seconds=250) < contact.expires - datetime.now(UTC) <= timedelta(seconds=300)
    reachable = watch.until(lambda now: all(each.round_trip_ms for each in now.contacts_of("103")))
    assert 0 < reachable.contacts_of("103")[0].round_trip_ms < 3000
    assert "103" in watch.state.online()
    one.register(600)
    watch.feed.refresh_contacts()
    assert watch.state.contacts_of("103")[0].expires - datetime.now(UTC) > timedelta(seconds=500)
    one.register(0)
    watch.until(lambda now: not now.contacts_of("103"))
    assert "103" not in watch.state.online()


def test_the_engine_says_its_version_and_age(asterisk: SmallAsterisk, watch: Watch) -> None:
    engine = watch.state.engine
    assert engine.version.startswith("22.")
    assert timedelta(0) <= datetime.now(UTC) - engine.since < timedelta(minutes=10)
    with one_shot("127.0.0.1", asterisk.ami_port, "all", SECRET) as ami:
        assert engine.version in ami.command("core show version")[0]
