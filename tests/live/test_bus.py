"""The bus: everybody hears, nobody is waited for."""

from __future__ import annotations

import threading

from pbxweb.live.bus import RESYNC, Bus, Message


def test_only_the_topics_asked_for_arrive_in_order() -> None:
    bus = Bus()
    mine = bus.subscribe(["calls", "engine"])
    for number in range(3):
        bus.publish("calls", number)
        bus.publish("contacts", number)
    bus.publish("engine", "up")
    assert mine.drain(1) == [Message("calls", 0), Message("calls", 1), Message("calls", 2), Message("engine", "up")]
    assert mine.get(0) is None


def test_a_slow_reader_gets_one_resync_and_then_what_is_new() -> None:
    bus = Bus()
    slow, quick = bus.subscribe(["calls"], max_queue=3), bus.subscribe(["calls"])
    for number in range(100):
        bus.publish("calls", number)
    assert [message.payload for message in quick.drain(1)] == list(range(100))
    assert [message.topic for message in slow.drain(1)] == [RESYNC]
    bus.publish("calls", "after")
    assert slow.get(1) == Message("calls", "after")


def test_a_reader_that_waits_is_woken_by_a_message_and_by_the_end() -> None:
    bus = Bus()
    mine = bus.subscribe(["calls"])
    heard: list[Message] = []
    reader = threading.Thread(target=lambda: heard.extend(mine))
    reader.start()
    bus.publish("calls", 1)
    bus.close()
    reader.join(5)
    assert not reader.is_alive()
    assert heard == [Message("calls", 1)]
    assert mine.closed


def test_a_closed_subscription_hears_nothing() -> None:
    bus = Bus()
    with bus.subscribe(["calls"]) as mine:
        pass
    bus.publish("calls", 1)
    assert mine.get(0) is None


def test_many_publishers_lose_nothing() -> None:
    bus = Bus()
    mine = bus.subscribe(["calls"], max_queue=100_000)
    threads = [
        threading.Thread(target=lambda: [bus.publish("calls", number) for number in range(500)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mine.drain(1)) == 4000
