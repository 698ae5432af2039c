"""``run``: a small parent that holds the owner lock and the web address, and keeps the web process alive."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from pbxweb.owner import OwnerLock
from pbxweb.settings import SettingError
from pbxweb.supervisor import Pulse, supervise

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.settings import Settings

STOP_SECONDS = 2.5
HANG_SECONDS = 60.0


def listen(settings: Settings) -> socket.socket:
    """The socket of the web address; it outlives a web process that must be started again. Raises SettingError."""
    host, port = settings.http.host, settings.http.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingError(f"PBXWEB_HTTP={settings.http}: cannot listen there: {error.strerror}") from error
    return listener


def run(settings: Settings, make_app: Callable[[], Flask]) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    Raises OwnedError when another pbxweb has the state folder, SettingError when the web address cannot be used.

    Ended on purpose, the private Asterisk is ended too. A web process that cannot come back after it was ready leaves
    Asterisk and its calls alone.
    """
    lock = OwnerLock(settings.home)
    lock.take()
    listener = listen(settings)
    pulse = Pulse()

    def work() -> int:
        from pbxweb.lean import without_docstrings

        without_docstrings("pbxweb")
        from pbxweb.webserver import Server

        return Server(settings, make_app, pulse).serve(listener)

    code = supervise(work, pulse, stop_seconds=STOP_SECONDS, hang_seconds=HANG_SECONDS)
    listener.close()
    if code == 0:
        from pbxweb.asterisk.engine import engine_for

        engine_for(settings).stop()
    lock.release()
    return code
