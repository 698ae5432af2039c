"""The table of jobs and its clock. The only importer of APScheduler; jobs run one after the other."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbxweb.storage.files import write_atomic

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Something to do again and again: ``every`` so often, or once a day at ``at`` (``"03:20"``, local time).

    ``run`` is called inside the application context; what it returns is the text of its result.
    """

    name: str
    run: Callable[[], str | None]
    every: timedelta | None = None
    at: str = ""


@dataclass(frozen=True)
class Run:
    """The last run of a job: when it began (ISO time, UTC), how many seconds it took, and how it ended."""

    name: str
    started: str
    seconds: float
    ok: bool
    result: str


class Scheduler:
    """Runs the jobs that were added, and remembers the last run of each in ``history_file``."""

    def __init__(self, app: Flask, history_file: Path) -> None:
        self._app = app
        self._file = history_file
        self._jobs: dict[str, Job] = {}
        self._runs: dict[str, Run] = self._read()
        self._lock = threading.Lock()
        self._clock: Any = None

    def add(self, job: Job) -> None:
        """Put ``job`` on the table. Raises ValueError when its name is taken or it says no time."""
        if job.name in self._jobs:
            raise ValueError(f"there is a job {job.name!r} already")
        if (job.every is None) == (not job.at):
            raise ValueError(f"job {job.name!r}: give either every or at")
        self._jobs[job.name] = job
        if self._clock is not None:
            self._schedule(job)

    def jobs(self) -> tuple[Job, ...]:
        """The table."""
        return tuple(self._jobs.values())

    def history(self) -> tuple[Run, ...]:
        """The last run of each job that ever ran, newest first."""
        return tuple(sorted(self._runs.values(), key=lambda run: run.started, reverse=True))

    def start(self) -> None:
        """Let the clock run."""
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        self._clock = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in self._jobs.values():
            self._schedule(job)
        self._clock.start()

    def stop(self) -> None:
        """Stop the clock; a job under way is not waited for. Does nothing when it does not run."""
        if self._clock is not None:
            self._clock.shutdown(wait=False)
            self._clock = None

    def run_now(self, name: str) -> Run:
        """Run one job here and now and return how it went. Raises KeyError for an unknown name."""
        job = self._jobs[name]
        with self._lock:
            started, began = datetime.now(UTC), time.monotonic()
            try:
                with self._app.app_context():
                    ok, result = True, job.run() or ""
            except Exception as error:
                log.exception("the job %s failed", name)
                ok, result = False, f"{type(error).__name__}: {error}"
            run = Run(name, started.isoformat(), round(time.monotonic() - began, 3), ok, result[:500])
            self._runs[name] = run
            self._write()
        return run

    def _schedule(self, job: Job) -> None:
        if job.every is not None:
            self._clock.add_job(self.run_now, "interval", [job.name], seconds=job.every.total_seconds(), id=job.name)
        else:
            hour, _, minute = job.at.partition(":")
            self._clock.add_job(self.run_now, "cron", [job.name], hour=int(hour), minute=int(minute), id=job.name)

    def _read(self) -> dict[str, Run]:
        try:
            rows = json.loads(self._file.read_text(encoding="utf-8"))
            return {row["name"]: Run(**row) for row in rows}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError):
            log.warning("%s is not readable: the history of jobs begins anew", self._file)
            return {}

    def _write(self) -> None:
        try:
            write_atomic(self._file, json.dumps([asdict(run) for run in self._runs.values()], indent=1).encode())
        except OSError as error:
            log.warning("the history of jobs cannot be kept: %s", error)
