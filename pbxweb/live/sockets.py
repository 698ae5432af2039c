"""What every WebSocket here shares: how many there may be, how it is kept alive, how it is ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask
    from simple_websocket import Server

SIGNED_OUT, TRY_LATER, TOO_MUCH, BROKEN = 4401, 1013, 1008, 1011
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


def end(ws: Server, code: int, reason: str | None = None) -> None:
    """Close ``ws`` with ``code`` and a ``reason`` of at most 123 bytes; a line that is gone is no error."""
    from simple_websocket import ConnectionClosed

    try:
        ws.close(code, reason)
    except (ConnectionClosed, OSError):
        return
