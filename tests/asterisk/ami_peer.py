"""A peer that speaks the manager protocol truly, and does what a test tells it, good or bad."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 9\r\nLastReload: 9\r\nStatus: Fully Booted\r\n\r\n"

Answer = Callable[[dict[str, str]], bytes | None]


def success(action: dict[str, str], extra: str = "") -> bytes:
    """The plain answer to an action."""
    return f"Response: Success\r\nActionID: {action.get('ActionID', '')}\r\n{extra}\r\n".encode()


class AmiPeer:
    """Listens on 127.0.0.1. ``answers`` maps an action's name to what to send back (None: nothing)."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.actions: list[dict[str, str]] = []
        self.connections: list[socket.socket] = []
        self.accepted = 0
        self.greeting = GREETING
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        buffer = b""
        try:
            connection.sendall(self.greeting)
            while data := connection.recv(65536):
                buffer += data
                while b"\r\n\r\n" in buffer:
                    block, _, buffer = buffer.partition(b"\r\n\r\n")
                    lines = [line.partition(": ") for line in block.decode().split("\r\n")]
                    self._handle(connection, {name: value for name, _, value in lines})
        except OSError:
            return

    def _handle(self, connection: socket.socket, action: dict[str, str]) -> None:
        with self._changed:
            self.actions.append(action)
            self._changed.notify_all()
        name = action.get("Action", "")
        answer = self.answers.get(name)
        data = answer(action) if answer else success(action) + (BOOTED if name == "Login" else b"")
        if data:
            connection.sendall(data)

    def say(self, text: str) -> None:
        """Send something to everybody who is connected."""
        for connection in self.connections:
            connection.sendall(text.encode())

    def heard(self, name: str, seconds: float = 30.0) -> dict[str, str]:
        """Wait for an action of this name and return it."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while time.monotonic() < deadline:
                for action in self.actions:
                    if action.get("Action") == name:
                        return action
                self._changed.wait(0.1)
        raise AssertionError(f"{name} was not sent: {self.actions}")

    def drop(self) -> None:
        """Cut every connection."""
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                connection.close()
        self.connections.clear()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        finally:
            self._listener.close()
        self.drop()
