"""When the history is read: at once after a call, when Asterisk comes back, and every minute in any case."""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from pbxweb.asterisk.ami import AmiError
from pbxweb.calls import cel, intake
from pbxweb.calls.intake import Living, Result
from pbxweb.jobs.scheduler import Job
from pbxweb.live.model import CallChange, Engine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbxweb.live.bus import Message
    from pbxweb.runtime import Runtime

log = logging.getLogger(__name__)

# Published on the bus when calls were added to the history; the payload is how many.
TOPIC = "history"
# Asterisk writes its last event a moment after it has told that the call ended.
SOON, LATER = 0.15, 1.0
EVERY = timedelta(minutes=1)


class Reader:
    """Reads Asterisk's events into the history for one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._path = runtime.settings.cel_database
        self._lock = threading.Lock()

    def read(self, living: Living | None = None) -> Result:
        """Read now; tell the bus when there are new calls. Raises sqlite3.Error, SQLAlchemyError."""
        with self._lock:
            result = intake.ingest(self._path, living)
        if result.calls:
            self._runtime.bus.publish(TOPIC, result.calls)
        return result

    def safety(self) -> str:
        """The job: read, and if calls are open, ask Asterisk which of them still are."""
        result = self.read()
        if result.under_way and (living := self._ask()):
            result = self.read(living)
        return f"{result.calls} calls" if result.calls else ""

    def prune(self) -> str:
        """The nightly job: what the history has had for long goes from Asterisk's files."""
        gone = intake.prune(self._runtime.settings)
        return f"{gone} rows" if gone else ""

    def run(self) -> None:
        """Follow the bus until it is closed (a thread of its own)."""
        subscription = self._runtime.bus.subscribe(("calls", "engine"))
        self._try()
        while not subscription.closed:
            messages = subscription.drain(timeout=60)
            try:
                self._react(messages)
            except Exception:
                log.exception("the history could not be read; it is tried again within a minute")

    def _react(self, messages: Iterable[Message]) -> None:
        engines = [m.payload for m in messages if isinstance(m.payload, Engine)]
        ended = any(isinstance(m.payload, CallChange) and m.payload.kind in ("ended", "merged") for m in messages)
        if engines and not engines[-1].up:
            with self._runtime.app.app_context():
                intake.note_alive(datetime.now(UTC))
        if engines and engines[-1].up:
            self._try(self._ask())
        elif ended or any(m.topic == "resync" for m in messages):
            for pause in (SOON, LATER):
                threading.Event().wait(pause)
                if not self._try().under_way:
                    break

    def _try(self, living: Living | None = None) -> Result:
        try:
            with self._runtime.app.app_context():
                return self.read(living)
        except (sqlite3.Error, SQLAlchemyError):
            log.exception("the history could not be read; it is tried again within a minute")
            return Result()

    def _ask(self) -> Living | None:
        """What Asterisk says itself about when it started and which channels it has; None while it cannot be asked."""
        from pbxweb.live.rebuild import engine

        link = self._runtime.link
        try:
            since = engine(link).since
            at = datetime.now(UTC)
            _, events = link.collect("CoreShowChannels")
        except AmiError:
            return None
        return Living(since, at, frozenset(event.get("Uniqueid") for event in events))


def start(runtime: Runtime) -> None:
    """Prepare Asterisk's files, add the jobs and begin to follow the calls."""
    cel.prepare(runtime.settings)
    reader = Reader(runtime)
    runtime.app.extensions["pbxweb.calls.reader"] = reader
    runtime.jobs.add(Job("read-history", reader.safety, every=EVERY))
    runtime.jobs.add(Job("prune-call-events", reader.prune, at="03:40"))
    threading.Thread(target=reader.run, name="history", daemon=True).start()
