"""The web process: gunicorn's threaded worker with pbxweb in it. Everything heavy is imported here."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.sock import create_sockets

from pbxweb.asterisk.engine import engine_for
from pbxweb.supervisor import GIVEN_UP

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.runtime import Runtime
    from pbxweb.settings import Settings
    from pbxweb.supervisor import Pulse

log = logging.getLogger(__name__)

STOP_SECONDS = 2
SWITCH_SECONDS = 0.0005
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # of glibc's malloc.h


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings and our worker's life."""

    def __init__(self, settings: Settings, make_app: Callable[[], Flask], pulse: Pulse) -> None:
        self._settings = settings
        self._make_app = make_app
        self._app: Flask | None = None
        self.pulse = pulse
        self.behind_proxy = settings.trusted_proxies > 0
        super().__init__()

    def load_config(self) -> None:
        """gunicorn asks for its settings."""
        given: dict[str, Any] = {
            "bind": [str(self._settings.http)],
            "worker_class": "pbxweb.worker.Worker",
            "workers": 1,
            "threads": self._settings.threads,
            "worker_connections": 400,
            "keepalive": 15,
            "graceful_timeout": STOP_SECONDS,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108 - a folder to unlink a file in
            "proc_name": "pbxweb",
            "loglevel": "warning",
            "forwarded_allow_ips": "",
            "post_worker_init": self._begin,
        }
        for name, value in given.items():
            if value is not None:
                self.cfg.set(name, value)

    def serve(self, listener: socket.socket) -> int:
        """Answer on ``listener`` until SIGTERM; the exit code, GIVEN_UP where it could not even begin."""
        journal = self.cfg.logger_class(self.cfg)
        sockets = create_sockets(self.cfg, journal, [listener.fileno()])
        worker = self.cfg.worker_class(1, os.getppid(), sockets, self, 1, self.cfg, journal)
        worker.pid = os.getpid()
        engine = engine_for(self._settings)
        ours = not engine.status().running
        try:
            worker.init_process()
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else 1
        except Exception as error:
            log.exception("the web process failed")
            print(f"pbxweb: {error}", file=sys.stderr, flush=True)
            if worker.booted:
                return 1
            if ours and not self.pulse.ready:
                engine.stop()
            return GIVEN_UP
        finally:
            worker.tmp.close()
            self._end()
        return 0

    def load(self) -> Flask:
        """gunicorn asks, in the worker, for the application."""
        from pbxweb.security import tokens
        from pbxweb.storage import schema

        set_up_logging(self._settings.log_level)
        thrifty_heap()
        tokens.load_library()
        self._app = app = self._make_app()
        if schema.current(self._settings.database) != schema.newest(app):
            in_a_child(lambda: schema.upgrade(app))
        return app

    def _begin(self, _worker: Any) -> None:
        from pbxweb.runtime import Runtime

        if self._app is None:
            raise RuntimeError("the worker began before its application was loaded")
        # The gate before the threads (worker.py) must not wait long for its turn among busy ones.
        sys.setswitchinterval(SWITCH_SECONDS)
        runtime = Runtime(self._app)
        runtime.start()
        give_back()
        if not self.pulse.ready:
            threading.Thread(target=self._announce, args=(runtime,), name="announce", daemon=True).start()

    def _end(self) -> None:
        from pbxweb.runtime import EXTENSION

        runtime = self._app.extensions.get(EXTENSION) if self._app else None
        if runtime is not None:
            runtime.stop()

    def _announce(self, runtime: Runtime) -> None:
        """Say when both the page and Asterisk answer."""
        told = ""
        while not runtime.link.wait(1):
            problem = runtime.engine_problem
            if problem and problem != told:
                print(f"pbxweb: {problem}", file=sys.stderr, flush=True)
                told = problem
        while not page_answers(self._settings):
            time.sleep(0.05)
        self.pulse.set_ready()
        print(f"pbxweb ready: {self._settings.url}", flush=True)
        for announcement in runtime.announcements:
            with runtime.app.app_context():
                text = announcement()
            if text:
                print(text, flush=True)


def thrifty_heap() -> None:
    """Let the many threads share two of the C library's heaps, and give large blocks back when they are free.

    Each heap of its own would keep megabytes for ever.
    """
    import ctypes

    try:
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 2)
        library.mallopt(M_MMAP_THRESHOLD, 128 * 1024)
    except (OSError, AttributeError):
        log.debug("this C library has no mallopt")


def give_back() -> None:
    """Give what the start has used, and nothing needs any more, back to the system."""
    import ctypes

    gc.collect()
    gc.freeze()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        log.debug("this C library has no malloc_trim")


def in_a_child(work: Callable[[], object]) -> None:
    """Do ``work`` in a process of its own, so that what it imports is not kept here. Threads must not run yet.

    Raises RuntimeError when it failed; it has said why on standard error.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except Exception as error:
            print(f"pbxweb: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise RuntimeError("the database could not be brought up to date")


def page_answers(settings: Settings) -> bool:
    """Whether this machine's own request for the first page is answered without an error."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http.host, settings.http.host)  # noqa: S104 - any to own
    try:
        with socket.create_connection((host, settings.http.port), timeout=5) as connection:
            connection.sendall(f"GET / HTTP/1.0\r\nHost: {settings.http}\r\n\r\n".encode())
            status = connection.makefile("rb").readline().split(b" ")[1:2]
    except OSError:
        return False
    return bool(status) and status[0] < b"500"


def set_up_logging(level: str) -> None:
    """Log to standard error, one line an event."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    for noisy in ("apscheduler", "alembic", "werkzeug"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
