"""The composition root of what runs beside the web: Asterisk's process, the link to it, the live state, the jobs.

``create_app`` starts none of it; ``pbxweb.serve`` does in its one worker, and a test does in its own process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from pbxweb.asterisk.account import AMI_SECRET, AMI_USER
from pbxweb.asterisk.ami import AmiLink
from pbxweb.asterisk.engine import EngineError, engine_for
from pbxweb.jobs import logs
from pbxweb.jobs.scheduler import Job, Scheduler
from pbxweb.live.bus import Bus
from pbxweb.live.feed import Feed
from pbxweb.security.errors import Refused

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.asterisk.apply import Applier
    from pbxweb.room import Room
    from pbxweb.settings import Settings

log = logging.getLogger(__name__)

TAKEOVER_SECONDS = 10.0
SHORT_LIFE = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
EXTENSION = "pbxweb.runtime"


class Runtime:
    """All of it for one application; found as ``app.extensions["pbxweb.runtime"]``.

    ``engine_problem`` says in a technical text why Asterisk cannot be started, ``config_problem`` in a person's words
    why its configuration could not be brought up to date at the start; empty when all is well.
    ``announcements`` are asked for a line to print after the ready line (None: nothing to say); rooms add to it.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.settings: Settings = app.extensions["pbxweb.settings"]
        self.rooms: tuple[Room, ...] = app.extensions["pbxweb.rooms"]
        self.applier: Applier = app.extensions["pbxweb.applier"]
        self.engine = engine_for(self.settings)
        self.bus = Bus()
        secret = app.extensions["pbxweb.vault"].text(AMI_SECRET)
        self.link = AmiLink("127.0.0.1", self.settings.ami_port, AMI_USER, secret)
        self.applier.link = self.link
        self.feed = Feed(self.link, self.bus)
        self.jobs = Scheduler(app, self.settings.home / "jobs.json")
        self.announcements: list[Callable[[], str | None]] = []
        self.engine_problem = ""
        self.config_problem = ""
        self._started = self._linked = False
        self._stopping = threading.Event()
        app.extensions[EXTENSION] = self

    def start(self) -> None:
        """Begin: files as the database says, Asterisk up (or taken over) and kept up, link, live state, jobs.

        Returns at once; use ``link.wait`` to wait for Asterisk. A second call does nothing.
        """
        if self._started:
            return
        self._started = True
        self.jobs.add(Job("rotate-logs", lambda: logs.rotate(self.engine, self.engine.layout.log), at="03:20"))
        self.jobs.add(Job("restart-when-idle", self._restart_when_idle, every=timedelta(minutes=1)))
        for room in self.rooms:
            if room.start is not None:
                room.start(self)
        threading.Thread(target=self._keep_engine, name="engine", daemon=True).start()
        self.feed.start()
        self.jobs.start()

    def stop(self) -> None:
        """End everything but Asterisk, which lives on. A second call does nothing."""
        if not self._started or self._stopping.is_set():
            return
        self._stopping.set()
        self.bus.close()
        self.jobs.stop()
        self.feed.stop()
        self.link.stop()

    def _reconcile(self) -> None:
        """Files and Asterisk as the database says. An Asterisk that runs already is asked over the link.

        Raises EngineError when there is no Asterisk whose configuration it could be.
        """
        self.engine.prepare()
        if self.engine.status().running:
            self._connect()
            self.link.wait(TAKEOVER_SECONDS)
        self.config_problem = ""
        try:
            with self.app.app_context():
                self.applier.reconcile()
        except Refused as refusal:
            self.config_problem = str(refusal)
            log.error("Asterisk's configuration is not up to date: %s", refusal)

    def _connect(self) -> None:
        """Begin to connect, or hurry: there is an Asterisk that answers."""
        if self._linked:
            self.link.poke()
        else:
            self._linked = True
            self.link.start()

    def _restart_when_idle(self) -> str:
        """For what Asterisk only reads at its start."""
        if not self.link.connected:
            return "Asterisk does not answer"
        return "restarted" if self.applier.restart_when_idle(self.engine.ensure_running) else "not needed or not idle"

    def _keep_engine(self) -> None:
        """Keep Asterisk running: at once after it died, with growing pauses where it keeps dying."""
        pause, reconciled = 0.0, False
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                if not reconciled:
                    self._reconcile()
                    reconciled = True
                pid = self.engine.ensure_running()
            except Exception as error:
                if str(error) != self.engine_problem:
                    log.error("%s", error, exc_info=not isinstance(error, EngineError))
                self.engine_problem = str(error)
            else:
                self.engine_problem = ""
                log.info("Asterisk runs as process %d", pid)
                self._connect()
                self.engine.wait_gone(pid)
                if not self._stopping.is_set():
                    log.warning("Asterisk has ended and is started again")
            lasting = time.monotonic() - began > SHORT_LIFE
            pause = 0.0 if lasting else min(max(FIRST_PAUSE, pause * 2), LONGEST_PAUSE)
