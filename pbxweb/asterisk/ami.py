"""The link to Asterisk's manager interface: it stays, whatever happens to the other side.

``AmiLink`` connects, signs in, reconnects for ever, and calls its listeners one at a time, in the order of
events, from one thread of its own: listeners may send actions, and a slow one delays only other listeners.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pbxweb.asterisk.ami_messages import (
    EMPTY,
    AmiError,
    AmiFailed,
    AmiRefused,
    AmiTimeout,
    Event,
    HeaderValue,
    Message,
    NotConnected,
    Response,
)
from pbxweb.asterisk.ami_protocol import HealedManager
from pbxweb.asterisk.ami_verbs import AmiVerbs, Asked

__all__ = [
    "AmiError", "AmiFailed", "AmiLink", "AmiRefused", "AmiTimeout", "AmiVerbs", "Event", "Message",
    "NotConnected", "Response", "one_shot",
]  # fmt: skip

log = logging.getLogger(__name__)

LONGEST_PAUSE = 1.0
FIRST_PAUSE = 0.05


@dataclass(frozen=True)
class _StateChange:
    up: bool
    text: str
    manager: HealedManager


class AmiLink(AmiVerbs):
    """A lasting, signed-in connection to the manager interface.

    In: host and port, the account's name and secret; ``keepalive`` is after how many silent seconds the other
    side is asked for life, ``timeout`` how many seconds connecting, signing in and that may take.
    """

    def __init__(
        self, host: str, port: int, user: str, secret: str, *, keepalive: float = 2.0, timeout: float = 4.0
    ) -> None:
        self._address = (host, port)
        self._account = (user, secret)
        self._keepalive = keepalive
        self._timeout = timeout
        self._manager: HealedManager | None = None
        self._signing_in: HealedManager | None = None
        self._inbox: queue.SimpleQueue[Event | _StateChange | Callable[[], None] | None] = queue.SimpleQueue()
        self._event_listeners: list[Callable[[Event], None]] = []
        self._state_listeners: list[Callable[[bool, str], None]] = []
        self._damage_listeners: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._booted = threading.Event()
        self._end_reason = ""
        self._threads: list[threading.Thread] = []
        self.problem = "not started"

    @property
    def connected(self) -> bool:
        """Whether actions can be sent now."""
        return self._manager is not None

    @property
    def received_bytes(self) -> int:
        """Bytes that the present connection has received."""
        manager = self._manager
        return manager.received if manager else 0

    def on_event(self, listener: Callable[[Event], None]) -> None:
        """Call ``listener`` for every event from now on. What it raises is logged and hurts nobody."""
        self._event_listeners.append(listener)

    def on_state(self, listener: Callable[[bool, str], None]) -> None:
        """Call ``listener(up, text)`` when the link comes up (with AMI's version) or goes down (why)."""
        self._state_listeners.append(listener)

    def on_damage(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when an event was dropped because a caller had changed it: what it said must be asked."""
        self._damage_listeners.append(listener)

    def run(self, work: Callable[[], None]) -> None:
        """Do ``work`` on the thread of the listeners, after the events that have come; returns at once."""
        self._inbox.put(work)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._threads:
            raise AmiError("the link was started before")
        self._threads = [
            threading.Thread(target=self._dispatch, name="ami-dispatch", daemon=True),
            threading.Thread(target=self._stay_connected, name="ami-link", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the connection and both threads; returns within about two seconds."""
        self._stopping.set()
        self._wake.set()
        self._ended.set()
        for manager in (self._manager, self._signing_in):
            if manager:
                manager.close()
        for thread in reversed(self._threads):
            if thread is not threading.current_thread():
                thread.join(2)
        self._inbox.put(None)

    def poke(self) -> None:
        """Try to connect at once, for example because Asterisk was just started."""
        self._wake.set()

    def reconnect(self) -> None:
        """Give up the present connection, if there is one, and make a fresh one."""
        manager = self._manager
        if manager:
            manager.close()

    def wait(self, timeout: float) -> bool:
        """Wait until the link is up; returns whether it is."""
        deadline = time.monotonic() + timeout
        while not self.connected and time.monotonic() < deadline and not self._stopping.is_set():
            time.sleep(0.01)
        return self.connected

    def send(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 5.0) -> Response:
        """Send one action and return Asterisk's answer. ``timeout`` in seconds.

        Raises AmiRefused (nothing was sent), NotConnected, AmiTimeout, AmiFailed (Asterisk said no).
        """
        return self._up().perform(action, headers, timeout=timeout)[0]

    def collect(
        self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 10.0
    ) -> tuple[Response, list[Event]]:
        """Send an action that is answered by a list; the answer and the list's events. Raises as ``send``."""
        return self._up().perform(action, headers, timeout=timeout, is_list=True)

    def ask(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, is_list: bool = False) -> Asked:
        """As AmiVerbs.ask; what is sent here is under way when this returns. Raises AmiRefused, NotConnected."""
        return self._up().ask(action, headers, is_list=is_list)

    def _up(self) -> HealedManager:
        manager = self._manager
        if manager is None:
            raise NotConnected(self.problem)
        return manager

    def _stay_connected(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                manager = self._connect()
            except AmiError as error:
                self._trouble(str(error))
                self._wake.wait(pause)
                pause = FIRST_PAUSE if self._wake.is_set() else min(pause * 2, LONGEST_PAUSE)
                self._wake.clear()
                continue
            pause = FIRST_PAUSE
            self.problem = ""
            self._manager = manager
            self._inbox.put(_StateChange(True, manager.version, manager))
            log.info("connected to Asterisk's manager interface %s", manager.version)
            self._watch(manager)
            self._manager = None
            manager.close()
            manager.join(2)
            self._trouble(self._end_reason or "the connection ended")
            self._inbox.put(_StateChange(False, self.problem, manager))
        self._inbox.put(None)

    def _trouble(self, text: str) -> None:
        if text != self.problem and not self._stopping.is_set():
            log.warning("no link to Asterisk: %s", text)
        self.problem = text

    def _connect(self) -> HealedManager:
        """A signed-in connection to an Asterisk that has started. Raises AmiError."""
        self._ended.clear()
        self._booted.clear()
        self._end_reason = ""
        manager = self._signing_in = HealedManager(self._take, self._on_end, self._on_damage, timeout=self._timeout)
        try:
            manager.connect(*self._address)
            manager.login(*self._account)
            self._await_boot(manager)
        except AmiFailed as error:
            manager.close()
            raise AmiError(f"Asterisk refused the sign-in: {error.message}") from None
        except AmiError:
            manager.close()
            raise
        return manager

    def _take(self, event: Event) -> None:
        if event.name == "FullyBooted":
            self._booted.set()
        self._inbox.put(event)

    def _await_boot(self, manager: HealedManager) -> None:
        """Asterisk lets people in before its modules are loaded; it says FullyBooted at once, or when it is."""
        silent = 0.0
        while not self._booted.wait(0.05):
            if self._ended.is_set() or self._stopping.is_set():
                raise NotConnected(self._end_reason or "the link is being stopped")
            self._trouble("Asterisk is still starting")
            silent += 0.05
            if silent >= self._keepalive:
                manager.perform("Ping", EMPTY, timeout=self._timeout)
                silent = 0.0

    def _on_damage(self) -> None:
        for listener in tuple(self._damage_listeners):
            self._inbox.put(listener)

    def _on_end(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
        self._ended.set()

    def _watch(self, manager: HealedManager) -> None:
        """Return when the connection has ended, by itself or because the other side gives no sign of life."""
        while not self._stopping.is_set():
            before = manager.received
            if self._ended.wait(self._keepalive):
                return
            if manager.received != before:
                continue
            try:
                manager.perform("Ping", EMPTY, timeout=self._timeout)
            except AmiFailed:
                continue
            except AmiError:
                self._end_reason = self._end_reason or "Asterisk gives no sign of life"
                return

    def _dispatch(self) -> None:
        while (item := self._inbox.get()) is not None:
            if isinstance(item, Event):
                for listen in tuple(self._event_listeners):
                    self._guarded(listen, item)
            elif isinstance(item, _StateChange):
                if not item.up or item.manager is self._manager:
                    for tell in tuple(self._state_listeners):
                        self._guarded(tell, item.up, item.text)
            else:
                self._guarded(item)

    @staticmethod
    def _guarded(listener: Callable[..., None], *arguments: object) -> None:
        """Call a listener; its own mistake is logged and hurts nobody else."""
        try:
            listener(*arguments)
        except Exception:
            log.exception("a listener of the manager link failed")


class _OneShot(AmiVerbs):
    """A signed-in connection for a handful of actions, without threads of its own beside the reader."""

    def __init__(self, manager: HealedManager) -> None:
        self._manager = manager

    def send(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 5.0) -> Response:
        """As AmiLink.send."""
        return self._manager.perform(action, headers, timeout=timeout)[0]

    def collect(
        self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 10.0
    ) -> tuple[Response, list[Event]]:
        """As AmiLink.collect."""
        return self._manager.perform(action, headers, timeout=timeout, is_list=True)

    def ask(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, is_list: bool = False) -> Asked:
        """As AmiLink.ask."""
        return self._manager.ask(action, headers, is_list=is_list)


@contextlib.contextmanager
def one_shot(host: str, port: int, user: str, secret: str, *, timeout: float = 5.0) -> Iterator[AmiVerbs]:
    """Connect, sign in, wait until Asterisk has started, let the caller send a few actions, and close.

    For the command line. Raises NotConnected, AmiTimeout, or AmiFailed where the sign-in is refused.
    """
    booted = threading.Event()

    def heard(event: Event) -> None:
        if event.name == "FullyBooted":
            booted.set()

    manager = HealedManager(heard, lambda _reason: None, lambda: None, timeout=timeout)
    try:
        manager.connect(host, port)
        manager.login(user, secret, events="system")
        if not booted.wait(timeout):
            raise AmiTimeout("Asterisk is still starting")
        yield _OneShot(manager)
    finally:
        manager.close()
        manager.join(2)
