"""Asterisk's channel events: what one is, and reading them from the SQLite file that Asterisk writes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pbxweb.settings import Settings

# Column of Asterisk's table -> field of Event, in the order of the fields.
COLUMNS = {
    "eventtype": "type",
    "eventtime": "at",
    "channame": "channel",
    "uniqueid": "uniqueid",
    "linkedid": "linkedid",
    "cidnum": "number",
    "cidname": "name",
    "exten": "exten",
    "appname": "app",
    "userfield": "userfield",
    "eventextra": "extra",
}
BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """One thing that happened to a channel. ``n`` counts all events ever read, ``at`` is microseconds since 1970."""

    n: int
    type: str
    at: int
    channel: str
    uniqueid: str
    linkedid: str
    number: str = ""
    name: str = ""
    exten: str = ""
    app: str = ""
    userfield: str = ""
    extra: str = ""

    @cached_property
    def details(self) -> dict[str, Any]:
        """What Asterisk adds to some types (``bridge_id``, ``hangupcause``, …); empty for none or what is no JSON."""
        try:
            found = json.loads(self.extra) if self.extra else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def same(self) -> tuple[str, int, str, str, str]:
        """Equal for two readings of the same event, different for any two events."""
        return self.type, self.at, self.uniqueid, self.linkedid, self.extra

    def dump(self) -> str:
        """The event as JSON text, for ``load``."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Event:
        """The event that ``dump`` wrote."""
        return cls(**json.loads(text))


def prepare(settings: Settings) -> None:
    """Put both of Asterisk's files into WAL mode (making them where there are none), so that reading one never makes
    Asterisk wait. Safe while Asterisk runs. A file that cannot be opened is left to Asterisk, which says why.
    """
    for path in (settings.cel_database, settings.cdr_database):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(sqlite3.Error):
            file = sqlite3.connect(path, timeout=BUSY_SECONDS)
            try:
                file.execute("PRAGMA journal_mode=WAL")
            finally:
                file.close()


def prune_records(path: Path, before: float) -> int:
    """Delete Asterisk's call records (nobody reads them here) that began before ``before``; returns how many.

    The newest record stays, so that its number is not used again. Raises sqlite3.Error.
    """
    if not path.exists():
        return 0
    file = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'cdr'").fetchone():
            return 0
        with file:
            return file.execute(
                "DELETE FROM cdr WHERE CAST(start AS REAL) BETWEEN 1e8 AND ? AND rowid < (SELECT max(rowid) FROM cdr)",
                (before,),
            ).rowcount
    finally:
        file.close()


class Source:
    """Asterisk's file, open for reading from a watermark. Use as a context manager. ``path`` must exist."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)
        self._file.row_factory = sqlite3.Row
        columns = {row["name"] for row in self._file.execute("PRAGMA table_info(cel)")}
        self.ready = "eventtype" in columns
        known = [f'"{name}"' if name in columns else f"'' AS \"{name}\"" for name in COLUMNS]
        self._select = f"SELECT rowid AS row, {', '.join(known)} FROM cel"  # noqa: S608 - names from this file

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def mark_of(self, rowid: int) -> str | None:
        """What identifies the row ``rowid`` (its channel, type and time); None when it is not there."""
        row = self._file.execute(f"{self._select} WHERE rowid = ?", (rowid,)).fetchone()
        return _mark(row) if row else None

    def after(self, rowid: int, limit: int) -> list[tuple[int, str, dict[str, Any]]]:
        """Up to ``limit`` rows behind ``rowid``: each its rowid, its mark and the fields of an Event but ``n``."""
        rows = self._file.execute(f"{self._select} WHERE rowid > ? ORDER BY rowid LIMIT ?", (rowid, limit))
        return [(row["row"], _mark(row), _fields(row)) for row in rows]

    def prune(self, watermark: int, before: float, *, batch: int = 2000) -> int:
        """Delete rows from before the time ``before`` (epoch seconds) that lie under ``watermark``; returns how many.

        The watermark's own row stays, so that Asterisk never uses its number again. Small batches: Asterisk's next
        event waits for one of them at most.
        """
        gone = 0
        while True:
            with self._file:
                count = self._file.execute(
                    "DELETE FROM cel WHERE rowid IN (SELECT rowid FROM cel WHERE rowid < ? ORDER BY rowid LIMIT ?)"
                    " AND CAST(eventtime AS REAL) < ?",
                    (watermark, batch, before),
                ).rowcount
            gone += count
            if count < batch:
                return gone


def _mark(row: sqlite3.Row) -> str:
    return f"{row['uniqueid']} {row['eventtype']} {row['eventtime']}"


def _fields(row: sqlite3.Row) -> dict[str, Any]:
    found: dict[str, Any] = {field: str(row[column] or "") for column, field in COLUMNS.items()}
    try:
        found["at"] = round(float(row["eventtime"]) * 1_000_000)
    except (TypeError, ValueError):
        found["at"] = 0
    return found
