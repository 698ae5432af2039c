"""Who is told what has changed: topics, bounded subscriptions, and a publisher that never waits.

A subscriber that is too slow loses its queue and finds one ``resync`` message in it: it shall read the snapshot anew.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell. ``topic`` is ``resync`` where messages were lost; then ``payload`` is None."""

    topic: str
    payload: Any


class Subscription:
    """A bounded queue of messages; made by ``Bus.subscribe`` and ended by ``close`` (or a ``with`` block)."""

    def __init__(self, bus: Bus, topics: frozenset[str], max_queue: int) -> None:
        self._bus = bus
        self.topics = topics
        self._max = max_queue
        self._queue: deque[Message] = deque()
        self._ready = threading.Condition()
        self._closed = False

    def put(self, message: Message) -> None:
        """Append a message without ever waiting for the reader; an overfull queue becomes one ``resync``."""
        with self._ready:
            if self._closed:
                return
            if len(self._queue) >= self._max:
                self._queue.clear()
                message = Message(RESYNC, None)
            elif self._queue and self._queue[-1].topic == RESYNC and len(self._queue) == 1:
                return
            self._queue.append(message)
            self._ready.notify()

    def get(self, timeout: float | None = None) -> Message | None:
        """The next message; None after ``timeout`` seconds without one, or when the subscription is closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._ready:
            while not self._queue and not self._closed:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._ready.wait(left)
            return self._queue.popleft() if self._queue else None

    def drain(self, timeout: float | None = None) -> list[Message]:
        """Wait for a message as ``get`` does, then return it with all that are there already."""
        first = self.get(timeout)
        if first is None:
            return []
        with self._ready:
            rest = list(self._queue)
            self._queue.clear()
        return [first, *rest]

    @property
    def closed(self) -> bool:
        """Whether no further message will come."""
        return self._closed

    def close(self) -> None:
        """End the subscription; whoever waits in ``get`` wakes."""
        self._bus.forget(self)
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def __iter__(self) -> Iterator[Message]:
        """Every message until the subscription is closed."""
        while (message := self.get()) is not None:
            yield message

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Bus:
    """Publish and subscribe within this process; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[str, tuple[Subscription, ...]] = {}

    def subscribe(self, topics: Iterable[str], max_queue: int = 500) -> Subscription:
        """Receive the messages of ``topics`` from now on, at most ``max_queue`` of them unread."""
        subscription = Subscription(self, frozenset(topics), max(1, max_queue))
        with self._lock:
            for topic in subscription.topics:
                self._subscribers[topic] = (*self._subscribers.get(topic, ()), subscription)
        return subscription

    def publish(self, topic: str, payload: Any) -> None:
        """Tell all subscribers of ``topic``; returns at once, however slow they are."""
        message = Message(topic, payload)
        for subscription in self._subscribers.get(topic, ()):
            subscription.put(message)

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription; an unknown one is no error."""
        with self._lock:
            for topic in subscription.topics:
                left = tuple(one for one in self._subscribers.get(topic, ()) if one is not subscription)
                self._subscribers[topic] = left

    def close(self) -> None:
        """End every subscription (the process is stopping)."""
        with self._lock:
            everyone = {id(one): one for some in self._subscribers.values() for one in some}
        for subscription in everyone.values():
            subscription.close()
