"""The link is cut, Asterisk is killed, calls come and go meanwhile: the state says so, and is true again by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from pbxweb.live.model import CallChange, Engine
from tests.live.conftest import Watch
from tests.live.cutting_proxy import CuttingProxy
from tests.live.sip_phone import SipPhone
from tests.live.small_asterisk import SmallAsterisk
from tests.live.test_calls import assert_rebuild_agrees

Phone = Callable[..., SipPhone]


@pytest.fixture
def proxy(asterisk: SmallAsterisk) -> Iterator[CuttingProxy]:
    made = CuttingProxy(asterisk.ami_port)
    yield made
    made.close()


def test_a_call_that_lives_through_a_cut_is_there_again(
    asterisk: SmallAsterisk, proxy: CuttingProxy, watcher: Callable[[int], Watch], phone: Phone
) -> None:
    watch = watcher(proxy.port)
    one = phone(asterisk, "101")
    phone(asterisk, "102")
    one.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    before = watch.call("answered")
    proxy.open = False
    proxy.cut()
    down = watch.until(lambda now: not now.engine.up)
    assert down.engine.problem
    assert before.id in down.calls
    proxy.open = True
    watch.link.poke()
    after = watch.until(lambda now: now.engine.up)
    assert after.calls[before.id] == before
    assert_rebuild_agrees(watch)


def test_what_ended_and_began_during_a_cut_is_known_after_it(
    asterisk: SmallAsterisk, proxy: CuttingProxy, watcher: Callable[[int], Watch], phone: Phone
) -> None:
    watch = watcher(proxy.port)
    one = phone(asterisk, "101")
    phone(asterisk, "102")
    dialog = one.call("102")
    old = watch.call("answered")
    watch.news()
    proxy.open = False
    proxy.cut()
    watch.until(lambda now: not now.engine.up)
    one.hang_up(dialog)
    third = phone(asterisk, "103")
    one.wait_answered(one.call("103"))
    proxy.open = True
    watch.link.poke()
    now = watch.until(lambda state: state.engine.up and old.id not in state.calls and state.calls)
    (call,) = now.calls.values()
    assert (call.from_number, call.to_number) == ("101", "103")
    assert now.contacts_of("103")[0].port == third.port
    told = watch.news()
    assert [one.up for one in told if isinstance(one, Engine)] == [False, True]
    assert ("ended", old.id) in [(one.kind, one.call.id) for one in told if isinstance(one, CallChange)]
    assert ("new", call.id) in [(one.kind, one.call.id) for one in told if isinstance(one, CallChange)]
    assert_rebuild_agrees(watch)


def test_twenty_cuts_while_calls_come_and_go(
    asterisk: SmallAsterisk, proxy: CuttingProxy, watcher: Callable[[int], Watch], phone: Phone
) -> None:
    watch = watcher(proxy.port)
    chance = random.Random(20)
    callers = [phone(asterisk, "101"), phone(asterisk, "trunk-line")]
    phone(asterisk, "102")
    phone(asterisk, "103")
    for number in range(20):
        caller = callers[number % 2]
        for dialog in list(caller.dialogs):
            caller.hang_up(dialog)
        caller.call(chance.choice(("102", "103")))
        time.sleep(chance.uniform(0, 0.05))
        proxy.cut()
        watch.until(lambda now: watch.link.connected and now.engine.up, 5)
    settled = time.monotonic() + 5
    while time.monotonic() < settled:
        time.sleep(0.3)
        try:
            assert_rebuild_agrees(watch)
            break
        except AssertionError:
            continue
    assert_rebuild_agrees(watch)
    for caller in callers:
        for dialog in list(caller.dialogs):
            caller.hang_up(dialog)
    watch.quiet()


def test_a_killed_asterisk_is_said_and_its_successor_is_found(
    own_asterisk: SmallAsterisk, watcher: Callable[[int], Watch], phone: Phone
) -> None:
    watch = watcher(own_asterisk.ami_port)
    one = phone(own_asterisk, "101")
    phone(own_asterisk, "102")
    one.call("102")
    call = watch.call("answered")
    watch.news()
    time.sleep(1.5)  # Asterisk writes its database once a second
    own_asterisk.kill()
    watch.until(lambda now: not now.engine.up)
    own_asterisk.start()
    fresh = watch.until(lambda now: now.engine.up and not now.calls, 5)
    assert not fresh.channels
    assert {contact.aor for contact in fresh.contacts.values()} >= {"101", "102"}
    told = watch.news()
    assert ("ended", call.id) in [(each.kind, each.call.id) for each in told if isinstance(each, CallChange)]
    one.dialogs.clear()
