"""The live parts: who is told what, and how often it is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from pbxweb.live.bus import Bus
from pbxweb.live.sockets import Seats
from pbxweb.security.identity import current_actor
from pbxweb.security.roles import Actor, Role
from pbxweb.web.live import Client, Hub, Part
from tests.asterisk.pbx import until

ADMIN = Actor("Ada", Role.ADMIN, "1")
BOSS = Actor("Bob", Role.ADMIN, "2")
ANNA = Actor("Anna", Role.USER, "3")


class Page:
    """An open page that keeps what it was told."""

    def __init__(self, actor: Actor, language: str = "en") -> None:
        self.heard: list[str] = []
        self.closed = threading.Event()
        self.client = Client(actor, language, "UTC", self.heard.append, self.closed.set)


@pytest.fixture
def bus() -> Iterator[Bus]:
    """A bus; closing it ends the hub's thread."""
    bus = Bus()
    yield bus
    bus.close()


@pytest.fixture
def written() -> list[tuple[str, str, str]]:
    """What was written: (key, role, user id)."""
    return []


@pytest.fixture
def hub(app: Flask, bus: Bus, written: list[tuple[str, str, str]]) -> Hub:
    """A hub with a part for all (``phone``) and one that differs from person to person (``calls``)."""
    hub = Hub(app, Seats(6))
    version = {"n": 0}

    def write(key: str) -> str:
        actor = current_actor()
        assert actor is not None
        written.append((key, actor.role, actor.user_id or ""))
        version["n"] += 1
        return f'<b id="{key or "calls"}">{version["n"]}</b>'

    hub.add(Part("phone", "extensions.list", ("contacts",), write, lambda message: [message.payload]))
    hub.add(Part("calls", "calls.live", ("calls",), write))
    hub.start(bus)
    return hub


def _open(hub: Hub, actor: Actor, *parts: str, language: str = "en") -> Page:
    page = Page(actor, language)
    assert hub.join(page.client)
    hub.show(page.client, parts)
    if parts:
        until(lambda: page.heard, what="the first news")
    return page


def test_a_page_is_told_its_parts_at_once_and_at_every_change(hub: Hub, bus: Bus) -> None:
    page = _open(hub, ADMIN, "calls")
    bus.publish("calls", None)
    until(lambda: len(page.heard) == 2, what="the change")
    assert '<b id="calls">2</b>' in page.heard[1]


def test_only_what_changed_and_is_on_the_page_is_sent(hub: Hub, bus: Bus, written: list[tuple[str, str, str]]) -> None:
    page = _open(hub, ADMIN, "phone:201", "phone:202")
    written.clear()
    bus.publish("contacts", "202")
    until(lambda: len(page.heard) == 2, what="the change")
    bus.publish("contacts", "299")
    bus.publish("calls", None)
    bus.publish("contacts", "201")
    until(lambda: len(page.heard) == 3, what="the other change")
    assert [key for key, _role, _id in written] == ["202", "201"]


def test_what_many_see_alike_is_written_once(hub: Hub, bus: Bus, written: list[tuple[str, str, str]]) -> None:
    pages = [_open(hub, actor, "calls") for actor in (ADMIN, BOSS, ANNA)]
    written.clear()
    bus.publish("calls", None)
    until(lambda: all(len(page.heard) == 2 for page in pages), what="the change everywhere")
    assert sorted(written) == [("", "admin", ""), ("", "user", "3")]


def test_a_burst_is_told_once(hub: Hub, bus: Bus, written: list[tuple[str, str, str]]) -> None:
    page = _open(hub, ADMIN, "calls")
    written.clear()
    for _ in range(200):
        bus.publish("calls", None)
    bus.publish("contacts", "x")
    until(lambda: len(page.heard) >= 2, what="the burst")
    assert len(written) < 20


def test_unknown_and_forbidden_parts_are_not_sent(app: Flask, bus: Bus) -> None:
    hub = Hub(app, Seats(6))
    hub.add(Part("trail", "system.audit", ("calls",), lambda _key: "<b>secret</b>"))
    hub.start(bus)
    page = Page(ANNA)
    hub.join(page.client)
    hub.show(page.client, ["trail", "nothing", {"odd": 1}])
    other = Page(ADMIN)
    hub.join(other.client)
    hub.show(other.client, ["trail"])
    until(lambda: other.heard, what="the administrator's news")
    assert not page.heard


def test_a_page_that_is_gone_is_forgotten_and_the_others_hear_on(hub: Hub, bus: Bus) -> None:
    gone = _open(hub, ADMIN, "calls")

    def broken(_text: str) -> None:
        raise OSError("the line is gone")

    gone.client.send = broken
    page = _open(hub, BOSS, "calls")
    bus.publish("calls", None)
    until(lambda: len(page.heard) == 2, what="the change")
    assert gone.closed.is_set()


def test_too_many_pages_are_refused(hub: Hub) -> None:
    of_one = [hub.join(Page(ADMIN).client) for _ in range(6)]
    assert of_one == [True] * 4 + [False] * 2
    assert [hub.join(Page(BOSS).client) for _ in range(3)] == [True, True, False]


def test_all_pages_are_closed_at_the_end(hub: Hub, bus: Bus) -> None:
    page = _open(hub, ADMIN, "calls")
    bus.close()
    until(page.closed.is_set, what="the end")


def test_a_part_that_fails_does_not_silence_the_others(app: Flask, bus: Bus) -> None:
    def fail(_key: str) -> str:
        raise ZeroDivisionError

    hub = Hub(app, Seats(6))
    hub.add(Part("bad", "dashboard.read", ("calls",), fail))
    hub.add(Part("good", "dashboard.read", ("calls",), lambda _key: "<b>good</b>"))
    hub.start(bus)
    page = _open(hub, ADMIN, "bad", "good")
    assert "<b>good</b>" in page.heard[0]


def test_a_name_is_given_once(
    app: Flask, make: Callable[[str], Part] = lambda name: Part(name, "dashboard.read", (), str)
) -> None:
    hub = Hub(app, Seats(1))
    hub.add(make("x"))
    with pytest.raises(ValueError, match="twice"):
        hub.add(make("x"))
