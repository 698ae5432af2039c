"""What every WebSocket here shares: how many there may be, how it is kept alive, how it is ended."""

from __future__ import annotations

import struct
import threading
import time
from socket import SO_SNDTIMEO, SOL_SOCKET
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from flask import Flask
    from simple_websocket import Server

SIGNED_OUT, TRY_LATER, TOO_MUCH, BROKEN = 4401, 1013, 1008, 1011
SEND_SECONDS = 10.0  # how long one message may take to leave; then the client is given up
LOOK_EVERY = 3.0  # seconds after which an ended visit or token is noticed
MAX_MESSAGE = 32 * 1024
EXTENSION = "pbxweb.live.seats"


class DaemonThread(threading.Thread):
    """A thread that does not keep the process alive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)


class Seats:
    """Who may listen at once: every open socket takes a thread of the web server, so some are left for the rest."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken: list[str | None] = []
        self._lock = threading.Lock()

    def take(self, who: str | None, most: int | None = None) -> bool:
        """A seat for the person ``who``, of whom ``most`` may sit here (default: half of all, at least four).

        False when all seats, or those of this person, are taken.
        """
        with self._lock:
            mine = max(4, self.total // 2) if most is None else most
            if len(self._taken) >= self.total or self._taken.count(who) >= mine:
                return False
            self._taken.append(who)
        return True

    def free(self, who: str | None) -> None:
        """Give one seat of ``who`` back."""
        with self._lock:
            self._taken.remove(who)


def seats(app: Flask) -> Seats:
    """The seats of ``app``, shared by its pages and API clients."""
    found: Seats = app.extensions[EXTENSION]
    return found


def init_app(app: Flask, total: int) -> None:
    """Let ``total`` sockets be open at once; a silent one is asked now and then whether it is still there."""
    app.extensions[EXTENSION] = Seats(total)
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": 25,
        "max_message_size": MAX_MESSAGE,
        "thread_class": DaemonThread,
    }


class WholeMessages:
    """A socket that sends each message whole, in at most ``seconds``, or is never written to again.

    The library sends a message with one ``send`` and takes no notice of how much of it went out, though a slow client
    or a signal can cut it short; and its pings come from a thread of their own.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._cut = False
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000)))

    def send(self, data: bytes) -> int:
        """Send all of ``data``. Raises OSError when it could not be sent whole, now or before."""
        with self._lock:
            if self._cut:
                raise BrokenPipeError("a message before this one was cut short")
            self._cut = True
            left, until = memoryview(data), time.monotonic() + self._seconds
            while left:
                left = left[self._sock.send(left) :]
                if left and time.monotonic() >= until:
                    raise TimeoutError("the client takes nothing")
            self._cut = False
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def steady(ws: Server, seconds: float) -> None:
    """Have ``ws`` send whole messages only, each in at most ``seconds``. To be called first."""
    ws.sock = WholeMessages(ws.sock, seconds)


def end(ws: Server, code: int, reason: str | None = None) -> None:
    """Close ``ws`` with ``code`` and a ``reason`` of at most 123 bytes; a line that is gone is no error."""
    from simple_websocket import ConnectionClosed

    try:
        ws.close(code, reason)
    except (ConnectionClosed, OSError):
        return
