"""Who uses the product that is measured: a person with a browser, and listeners at Asterisk's manager interface."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlencode

from simple_websocket import Client, ConnectionClosed

from tests.asterisk.pbx import until
from tests.asterisk.sipuser import Dialog, SipUser
from tests.served import EMAIL, PASSWORD, Served


class Browser:
    """A signed-in person's connection, without a window. Nothing of what it gets is unpacked while it is timed."""

    def __init__(self, served: Served) -> None:
        self.address = served.settings.http
        self.connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=30)
        self.cookies: dict[str, str] = {}

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str, body: str | None = None) -> tuple[int, bytes]:
        """One request, a POST where there is a ``body``; the status, and the body as it came over the wire."""
        headers = {"Accept-Encoding": "gzip", "Cookie": self._cookie()}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request("GET" if body is None else "POST", path, body, headers)
        response = self.connection.getresponse()
        data = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        return response.status, data

    def html(self, path: str) -> str:
        """A page's text."""
        status, data = self.get(path)
        assert status == 200, (path, status)
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()

    def sign_in(self) -> Browser:
        """Through the page, as a person does."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.html("/login"))
        assert token
        status, _ = self.get("/login", urlencode({"csrf_token": token[1], "email": EMAIL, "password": PASSWORD}))
        assert status in (302, 303)
        return self

    def socket(self) -> Client:
        """The WebSocket that this person's page opens. (This client's Host has no port, so its Origin has none.)"""
        headers = {"Cookie": self._cookie(), "Origin": f"http://{self.address.host}"}
        return Client(f"ws://{self.address}/ws", headers=headers)


class Phone(SipUser):
    """A phone that notes when it sent its last INVITE."""

    invited = 0.0

    def _send(self, dialog: Dialog, method: str, extra: dict[str, str], body: str, to: str = "") -> None:
        if method == "INVITE":
            self.invited = time.perf_counter()
        super()._send(dialog, method, extra, body, to)


class Page:
    """The open overview with all its live parts: when which list of live calls arrived."""

    def __init__(self, browser: Browser, number: str) -> None:
        parts = re.findall(r'data-live="([^"]+)"', browser.html("/"))
        assert "dashboard-calls" in parts
        self._number = number
        self._socket = browser.socket()
        self.told: list[tuple[float, bool]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._socket.send(json.dumps({"parts": parts}))

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            while (text := self._socket.receive()) is not None:
                now = time.perf_counter()
                calls = re.search(r'<div id="dashboard-calls".*', str(text), re.DOTALL)
                if calls:
                    self.told.append((now, self._number in calls[0]))

    def when(self, listed: bool) -> float:
        """When the first list came, since ``told`` was cleared, in which the number is (not)."""
        return until(lambda: next((at for at, is_in in self.told if is_in == listed), 0.0), 10, "the page to be told")

    def close(self) -> None:
        """Close the page."""
        self._socket.close()
        self._thread.join(2)


class Listener:
    """The floor: a socket at the manager interface that reads the same events and parses none of them."""

    def __init__(self, port: int, user: str, secret: str) -> None:
        self._peer = socket.create_connection(("127.0.0.1", port))
        self._peer.sendall(f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\n\r\n".encode())
        self.received = 0
        self.wanted = b""
        self.seen: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        buffer = b""
        while data := self._peer.recv(65536):
            now = time.perf_counter()
            self.received += len(data)
            buffer += data
            *blocks, buffer = buffer.split(b"\r\n\r\n")
            if self.wanted and any(b"Event: Newchannel" in one and self.wanted in one for one in blocks):
                self.seen.append(now)

    def close(self) -> None:
        """End the connection."""
        self._peer.shutdown(socket.SHUT_RDWR)
        self._peer.close()
        self._thread.join(2)
