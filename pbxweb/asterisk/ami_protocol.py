"""pyst2's Manager, healed: the one module that imports pyst2.

Kept of it are the actions it words (``login``, ``ping`` …). Replaced is how messages come and go: one reader
that frames by the empty line alone, answers matched by ActionID, a write lock, a time limit on everything.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from asterisk.manager import Manager

from pbxweb.asterisk.ami_guard import LONGEST, genuine, repaired, unfinished
from pbxweb.asterisk.ami_messages import (
    AmiError,
    AmiFailed,
    AmiTimeout,
    Event,
    HeaderValue,
    NotConnected,
    Response,
    encode,
    parse,
)

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 16 * 1024 * 1024
IGNORED_EVENTS = frozenset({"TestEvent"})


class _Waiting:
    """One action's answer on its way: the response, and the events of a list action."""

    __slots__ = ("_action", "_forget", "answer", "broken", "done", "events", "is_list")

    def __init__(self, action: str, is_list: bool, forget: Callable[[], None]) -> None:
        self._action = action
        self._forget = forget
        self.is_list = is_list
        self.answer: Response | None = None
        self.events: list[Event] = []
        self.done = threading.Event()
        self.broken = False

    def wait(self, timeout: float) -> tuple[Response, list[Event]]:
        """As ``ami_verbs.Asked.wait``."""
        try:
            if not self.done.wait(timeout):
                raise AmiTimeout(f"Asterisk did not answer {self._action} within {timeout:g} seconds")
        finally:
            self._forget()
        if self.broken or self.answer is None:
            raise NotConnected(f"the connection broke before Asterisk answered {self._action}")
        if not self.answer.ok:
            said = "; ".join(self.answer.all("Output")) or self.answer.message
            raise AmiFailed(said.strip() or f"{self._action} failed")
        return self.answer, self.events


class HealedManager(Manager):  # type: ignore[misc]
    """One connection. It is made, connected once, and thrown away when it ends.

    ``on_event``, ``on_end`` and ``on_damage`` (an event was dropped, because a caller had changed it) are called from
    the reader's thread and must only hand over.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_end: Callable[[str], None],
        on_damage: Callable[[], None],
        *,
        timeout: float = 5.0,
    ) -> None:
        # Not pyst2's constructor: it makes queues and threads that nothing here uses.
        self._connected = threading.Event()
        self._running = threading.Event()
        self._on_event = on_event
        self._on_end = on_end
        self._on_damage = on_damage
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._write_lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._waiting_lock = threading.Lock()
        self._ended = False
        self._reader = threading.Thread(target=self._receive_data, name="ami-reader", daemon=True)
        self._stamped = False
        self._torn = ""
        self.received = 0
        self.title = ""
        self.version = ""

    def __del__(self) -> None:
        """pyst2 logs off here, from whichever thread collects garbage; here the owner closes."""

    def connect(self, host: str, port: int = 5038) -> None:
        """Connect, read the greeting and start the reader. Raises NotConnected or AmiTimeout."""
        try:
            self._socket = socket.create_connection((host, port), timeout=self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            greeting = self._greeting(self._socket)
        except TimeoutError:
            self.close()
            raise AmiTimeout("Asterisk's manager port is silent") from None
        except OSError as error:
            self.close()
            raise NotConnected(f"Asterisk's manager port cannot be reached: {error.strerror or error}") from None
        self.title, _, self.version = greeting.partition("/")
        self._socket.settimeout(None)
        self._connected.set()
        self._running.set()
        self._reader.start()

    def _greeting(self, peer: socket.socket) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = peer.recv(1)
            if not byte or len(line) > 200:
                self.close()
                raise NotConnected("what answers on the manager port is not Asterisk")
            line += byte
        return line.decode("utf-8", "replace").strip()

    def login(self, username: str, secret: str, events: str = "on") -> Response:
        """Sign in; ``events`` is ``on`` or ``off``. Raises AmiFailed where Asterisk refuses it."""
        return self.send_action(Action="Login", Username=username, Secret=secret, Events=events)

    def send_action(self, cdict: Mapping[str, HeaderValue] | None = None, **kwargs: HeaderValue) -> Response:
        """pyst2's entry for the actions it words: one answer, no shared dictionary. Raises as ``perform``."""
        headers = {**(cdict or {}), **kwargs}
        action = headers.pop("Action")
        return self.perform(str(action), headers, timeout=self._timeout)[0]

    def perform(
        self, action: str, headers: Mapping[str, HeaderValue], *, timeout: float, is_list: bool = False
    ) -> tuple[Response, list[Event]]:
        """Send an action and wait for what belongs to its ActionID: the answer and, for a list, its events.

        Raises AmiRefused (nothing was sent), NotConnected, AmiTimeout, AmiFailed.
        """
        return self.ask(action, headers, is_list=is_list).wait(timeout)

    def ask(self, action: str, headers: Mapping[str, HeaderValue], *, is_list: bool = False) -> _Waiting:
        """Send an action; its answer can be waited for.

        The ActionID cannot be guessed: a caller who can write into an event could otherwise answer.
        Raises AmiRefused (nothing was sent), NotConnected.
        """
        action_id = headers.get("ActionID") or secrets.token_hex(8)
        rest = ((name, value) for name, value in headers.items() if name != "ActionID")
        data = encode((("Action", action), ("ActionID", action_id), *rest))
        key = str(action_id)
        waiting = _Waiting(action, is_list, lambda: self._forget(key))
        with self._waiting_lock:
            if self._ended or not self._connected.is_set():
                raise NotConnected("there is no connection to Asterisk")
            if key in self._waiting:
                raise AmiError(f"the ActionID {key!r} is in use")
            self._waiting[key] = waiting
        try:
            self._write(data)
        except BaseException:
            self._forget(key)
            raise
        return waiting

    def _forget(self, key: str) -> None:
        with self._waiting_lock:
            self._waiting.pop(key, None)

    def _write(self, data: bytes) -> None:
        peer = self._socket
        if peer is None:
            raise NotConnected("there is no connection to Asterisk")
        try:
            with self._write_lock:
                peer.sendall(data)
        except OSError as error:
            self._end(f"writing failed: {error.strerror or error}")
            raise NotConnected("the connection to Asterisk broke") from None

    def _receive_data(self) -> None:
        """The reader's thread: bytes into messages, messages to their owners, until the connection ends."""
        peer, buffer, reason = self._socket, bytearray(), "Asterisk closed the connection"
        try:
            while peer is not None and (data := peer.recv(65536)):
                self.received += len(data)
                start = max(0, len(buffer) - 3)
                buffer += data
                while (end := buffer.find(b"\r\n\r\n", start)) >= 0:
                    block = buffer[:end].decode("utf-8", "replace")
                    del buffer[: end + 4]
                    start = 0
                    self._deliver(block)
                if len(buffer) > LARGEST_MESSAGE:
                    reason = "a message from Asterisk never ended"
                    break
        except OSError as error:
            reason = f"reading failed: {error.strerror or error}"
        self._end(reason)

    def _deliver(self, block: str) -> None:
        """Hand one message to its owner; an event that a caller's number has torn apart is put together first."""
        if self._torn:
            block, self._torn = f"{self._torn}\r\n\r\n{block}", ""
        headers = parse(block)
        if "Response" in headers and "Event" not in headers:
            self._answer(Response(headers))
            return
        if not self._genuine(headers):
            if unfinished(block) and len(block) < LONGEST:
                self._torn = block
                return
            headers = parse(repaired(block))
        if not self._genuine(headers):
            log.warning("dropped what a caller made of an event: %.200r", headers)
            if headers.get("ActionID") not in self._waiting:
                self._on_damage()
            return
        self._event(Event(headers))

    def _genuine(self, headers: Mapping[str, Any]) -> bool:
        if "Event" not in headers:
            return False
        self._stamped = self._stamped or ("Timestamp" in headers and "Privilege" in headers)
        listed = "ActionID" in headers and headers["ActionID"] in self._waiting
        return genuine(headers, self._stamped and not listed)

    def _event(self, event: Event) -> None:
        if event.name in IGNORED_EVENTS:
            return
        waiting = self._waiting.get(event.action_id) if "ActionID" in event.headers else None
        if waiting is None or not waiting.is_list:
            self._on_event(event)
        elif event.get("EventList").lower() in ("complete", "cancelled"):
            waiting.done.set()
        else:
            waiting.events.append(event)

    def _answer(self, answer: Response) -> None:
        waiting = self._waiting.get(answer.action_id)
        if waiting is None or waiting.answer is not None:
            return
        waiting.answer = answer
        if not (waiting.is_list and answer.ok):
            waiting.done.set()

    def _end(self, reason: str) -> None:
        """Once: wake all who wait, then tell the owner."""
        with self._waiting_lock:
            if self._ended:
                return
            self._ended = True
            self._connected.clear()
            self._running.clear()
            left: Iterable[_Waiting] = list(self._waiting.values())
        for waiting in left:
            waiting.broken = waiting.answer is None or not waiting.done.is_set()
            waiting.done.set()
        self.close()
        self._on_end(reason)

    def close(self) -> None:
        """Close the socket; the reader ends by that. Safe from any thread, any number of times."""
        peer, self._socket = self._socket, None
        if peer is not None:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the manager connection was already closed")
            peer.close()

    def join(self, timeout: float) -> None:
        """Wait for the reader's thread, unless called from it."""
        if self._reader.is_alive() and threading.current_thread() is not self._reader:
            self._reader.join(timeout)
