"""``run``: one gunicorn worker with many threads, beside Asterisk.

The master stays small: it holds the owner lock, watches the worker, and ends Asterisk when all is ended on purpose.
Everything heavy is imported in the worker.
"""

from __future__ import annotations

import gc
import logging
import mmap
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from pbxweb.asterisk.engine import engine_for
from pbxweb.owner import OwnerLock
from pbxweb.settings import SettingError

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.runtime import Runtime
    from pbxweb.settings import Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 2
SWITCH_SECONDS = 0.0005
M_ARENA_MAX = -8  # of glibc's malloc.h


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our settings and our worker's life."""

    def __init__(self, settings: Settings, make_app: Callable[[], Flask]) -> None:
        self._settings = settings
        self._make_app = make_app
        self._app: Flask | None = None
        # One byte that master and worker share: has the ready line been printed?
        self.ready = mmap.mmap(-1, 1)
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
            "timeout": 60,
            "graceful_timeout": STOP_SECONDS,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108 - a folder to unlink a file in
            "control_socket_disable": True,
            "proc_name": "pbxweb",
            "loglevel": "warning",
            "forwarded_allow_ips": "",
            "pre_fork": self._share,
            "post_worker_init": self._begin,
            "worker_exit": self._end,
        }
        for name, value in given.items():
            if value is not None:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """gunicorn asks, in the worker, for the application."""
        from pbxweb.storage import schema

        set_up_logging(self._settings.log_level)
        few_arenas()
        self._app = app = self._make_app()
        if schema.current(self._settings.database) != schema.newest(app):
            in_a_child(lambda: schema.upgrade(app))
        return app

    def _share(self, _server: Any, _worker: Any) -> None:
        """Let master and worker share what is in memory now: what the collector never visits is not copied."""
        gc.collect()
        gc.freeze()

    def _begin(self, _worker: Any) -> None:
        from pbxweb.runtime import Runtime

        if self._app is None:
            raise RuntimeError("the worker began before its application was loaded")
        # The gate before the threads (worker.py) must not wait long for its turn among busy ones.
        sys.setswitchinterval(SWITCH_SECONDS)
        runtime = Runtime(self._app)
        runtime.start()
        gc.collect()
        gc.freeze()
        if not self.ready[0]:
            threading.Thread(target=self._announce, args=(runtime,), name="announce", daemon=True).start()

    def _end(self, _server: Any, _worker: Any) -> None:
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
        self.ready[0] = 1
        print(f"pbxweb ready: {self._settings.url}", flush=True)
        for announcement in runtime.announcements:
            with runtime.app.app_context():
                text = announcement()
            if text:
                print(text, flush=True)


def few_arenas() -> None:
    """Let the many threads share two of the C library's heaps: each heap of its own would keep megabytes for ever."""
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    except (OSError, AttributeError):
        log.debug("this C library has no mallopt")


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
        except BaseException as error:
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


def refuse_taken_port(settings: Settings) -> None:
    """Say at once what gunicorn would only say after five tries. Raises SettingError."""
    host, port = settings.http.host, settings.http.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingError(f"PBXWEB_HTTP={settings.http}: cannot listen there: {error.strerror}") from error


def set_up_logging(level: str) -> None:
    """Log to standard error, one line an event."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    for noisy in ("apscheduler", "alembic", "werkzeug"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def run(settings: Settings, make_app: Callable[[], Flask]) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    Raises OwnedError when another pbxweb has the state folder, SettingError when the web address cannot be used.

    Ended on purpose, or never got ready: the private Asterisk is ended too. A worker that cannot come back after
    it was ready leaves Asterisk and its calls alone.
    """
    lock = OwnerLock(settings.home)
    lock.take()
    refuse_taken_port(settings)
    engine = engine_for(settings)
    found_running = engine.status().running
    server = Server(settings, make_app)
    code, master = 0, os.getpid()
    try:
        server.run()
    except SystemExit as stop:
        if os.getpid() != master:
            raise  # a worker ends, forked by gunicorn from within
        code = stop.code if isinstance(stop.code, int) else 1
    if code == 0 or not (found_running or server.ready[0]):
        engine.stop()
    lock.release()
    return code
