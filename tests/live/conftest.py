"""Fixtures for the live state: a small real Asterisk, and the link and feed on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pbxweb.asterisk.ami import AmiLink, Event
from pbxweb.live.bus import Bus, Subscription
from pbxweb.live.feed import TOPICS, Feed
from pbxweb.live.model import Call, State
from tests.live.sip_phone import SipPhone
from tests.live.small_asterisk import SECRET, SmallAsterisk


@pytest.fixture(scope="module")
def asterisk() -> Iterator[SmallAsterisk]:
    """One Asterisk for the tests of a module."""
    instance = SmallAsterisk()
    try:
        yield instance.start()
    finally:
        instance.close()


@pytest.fixture
def own_asterisk() -> Iterator[SmallAsterisk]:
    """An Asterisk that the test may kill."""
    instance = SmallAsterisk()
    try:
        yield instance.start()
    finally:
        instance.close()


@dataclass
class Watch:
    """A link, a feed on it, and everything that was published and received."""

    link: AmiLink
    feed: Feed
    bus: Bus
    told: Subscription
    events: list[Event] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.feed.snapshot()

    def until(self, what: Callable[[State], object], seconds: float = 30.0) -> State:
        """Wait until the state fulfils ``what``; the state then."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.feed.snapshot()
            if what(state):
                return state
            time.sleep(0.01)
        raise AssertionError(f"it never came: {self.feed.snapshot()}")

    def news(self) -> list[Any]:
        """What was published since the last time; a state is seen a moment before it is published."""
        told: list[Any] = []
        while more := self.told.drain(0.5):
            told += [message.payload for message in more]
        return told

    def call(self, state: str, seconds: float = 30.0) -> Call:
        """Wait for a call in this state and return it."""
        found = self.until(lambda now: [one for one in now.calls.values() if one.state == state], seconds)
        return next(one for one in found.calls.values() if one.state == state)

    def quiet(self, seconds: float = 30.0) -> None:
        """Wait until there is no call any more."""
        self.until(lambda now: not now.calls and not now.channels and not now.parked, seconds)


@pytest.fixture
def watcher() -> Iterator[Callable[[int], Watch]]:
    """Makes a running link and feed on an AMI port of 127.0.0.1, and ends them."""
    made: list[Watch] = []

    def make(port: int) -> Watch:
        bus = Bus()
        told = bus.subscribe(TOPICS, 5000)
        link = AmiLink("127.0.0.1", port, "pbxweb", SECRET)
        watch = Watch(link, Feed(link, bus), bus, told)
        link.on_event(watch.events.append)
        watch.feed.start()
        link.start()
        made.append(watch)
        watch.until(lambda now: now.engine.up)
        return watch

    yield make
    for watch in made:
        watch.feed.stop()
        watch.link.stop()


@pytest.fixture
def watch(asterisk: SmallAsterisk, watcher: Callable[[int], Watch]) -> Watch:
    """A running link and feed on the module's Asterisk."""
    return watcher(asterisk.ami_port)


@pytest.fixture
def phone() -> Iterator[Callable[..., SipPhone]]:
    """Makes a registered small phone: ``phone(asterisk, "101", answer="manual")``; hangs up and puts it away."""
    made: list[SipPhone] = []

    def make(asterisk: SmallAsterisk, number: str, **options: str) -> SipPhone:
        one = SipPhone(number, asterisk.sip_port, **options)  # type: ignore[arg-type]
        made.append(one)
        return one.register()

    yield make
    for one in made:
        for call_id in list(one.dialogs):
            one.hang_up(call_id)
        one.register(0)
        one.close()
