"""How the device is: versions, time up, disk, memory, engine, jobs."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from pbxweb.asterisk import revisions
from pbxweb.calls import statistics as calls_statistics
from pbxweb.calls import tallies
from pbxweb.calls.models import EVERYBODY, micro
from pbxweb.extensions.models import Extension
from pbxweb.live.model import Engine
from pbxweb.settings import Settings
from pbxweb.storage.database import db, utcnow
from pbxweb.system import overview
from pbxweb.users.models import User

BEGUN = time.monotonic()


@dataclass(frozen=True)
class Disk:
    """Bytes of the disk that holds the state folder."""

    total: int
    free: int
    ours: int

    @property
    def percent(self) -> int:
        """How full it is."""
        return round(100 * (self.total - self.free) / self.total) if self.total else 0


@dataclass(frozen=True)
class Status:
    """All of it. ``memory`` is what this process holds, ``memory_free`` what the machine has left (bytes)."""

    version: str
    python: str
    system: str
    uptime: float
    engine: Engine
    engine_problem: str
    disk: Disk
    memory: int
    memory_free: int | None
    revision: int | None
    revision_at: datetime | None
    jobs: tuple[Any, ...]
    home: Path
    sip: str


def uptime() -> float:
    """Seconds since this process began."""
    return time.monotonic() - BEGUN


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = next((line for line in lines if line.startswith("MemAvailable:")), "")
    return int(free.split()[1]) * 1024 if free else None


def _rss() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def _size(folder: Path) -> int:
    total = 0
    for base, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(base) / name).lstat().st_size
            except OSError:
                continue
    return total


def used(settings: Settings) -> int:
    """Bytes of calls' records, configuration and database; the unpacked Asterisk is left out."""
    database = sum(path.stat().st_size for path in settings.home.glob("*.sqlite3*"))
    return database + _size(settings.asterisk)


def of() -> Status:
    """The status now."""
    from pbxweb import __version__

    settings: Settings = current_app.extensions["pbxweb.settings"]
    runtime = overview.runtime()
    disk = shutil.disk_usage(settings.home)
    newest = next(iter(revisions.history(db.session(), limit=1)), None)
    return Status(
        version=__version__,
        python=platform.python_version(),
        system=_os_name(),
        uptime=uptime(),
        engine=overview.snapshot().engine,
        engine_problem=runtime.engine_problem if runtime else "",
        disk=Disk(disk.total, disk.free, used(settings)),
        memory=_rss(),
        memory_free=_meminfo(),
        revision=newest.number if newest else None,
        revision_at=newest.at if newest else None,
        jobs=runtime.jobs.history() if runtime else (),
        home=settings.home,
        sip=str(settings.sip_bind),
    )


def _os_name() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        name = ""
    return f"{name or platform.system()} ({platform.machine()})"


def short() -> dict[str, Any]:
    """What anybody may know (the API's ``/system/status``)."""
    from pbxweb import __version__

    state = overview.snapshot()
    free = shutil.disk_usage(current_app.extensions["pbxweb.settings"].home).free
    services = {
        "sip": "healthy" if state.engine.up else "unhealthy",
        "database": "healthy" if db.session.scalar(select(1)) == 1 else "unhealthy",
        "storage": "healthy" if free > 200 * 10**6 else "unhealthy",
    }
    return {
        "status": "healthy" if set(services.values()) == {"healthy"} else "degraded",
        "version": __version__,
        "uptime": int(uptime()),
        "services": services,
        "active_calls": len(state.calls),
        "registered_extensions": len(state.online()),
    }


def statistics() -> dict[str, Any]:
    """The figures of the API's ``/system/stats``."""
    settings: Settings = current_app.extensions["pbxweb.settings"]
    begin = overview.today()
    live = overview.snapshot().calls.values()
    today = tallies.sums([EVERYBODY], micro(begin), micro(utcnow()) + 1)
    return {
        "total_users": db.session.scalar(select(func.count(User.id)).where(User.deleted_at.is_(None))) or 0,
        "total_extensions": db.session.scalar(select(func.count(Extension.id))) or 0,
        "total_trunks": 0,
        "total_queues": 0,
        "current_active_calls": len(live),
        "calls_today": sum(calls for calls, _talk in today.values()),
        "peak_concurrent_calls_today": calls_statistics.peak(begin, [call.started for call in live if call.started]),
        "storage_used_gb": round(used(settings) / 10**9, 3),
    }
