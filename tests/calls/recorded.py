"""Channel events that a real Asterisk 22 wrote for real phones, call by call, and files like the one it writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from pbxweb.calls.cel import COLUMNS, Event

_FILE = json.loads((Path(__file__).parent / "recorded.json").read_text())
NAMES: list[str] = _FILE["columns"]
CALLS: dict[str, list[list[str]]] = _FILE["calls"]
# As Asterisk makes it from cel_sqlite3_custom.conf.
TABLE = (
    "CREATE TABLE cel (AcctId INTEGER PRIMARY KEY, eventtype,eventtime,cidname,cidnum,cidani,cidrdnis,ciddnid,exten,"
    "context,channame,appname,appdata,uniqueid,linkedid,peer,userfield,eventextra)"
)


def rows(*names: str) -> list[list[str]]:
    """The rows of these calls, one call after the other."""
    return [row for name in names for row in CALLS[name]]


def all_rows() -> list[list[str]]:
    """The rows of all recorded calls, in the order of time."""
    return sorted(rows(*CALLS), key=lambda row: float(row[NAMES.index("eventtime")]))


def shifted(rows: Sequence[list[str]], seconds: float, tag: str) -> list[list[str]]:
    """The same call again, so much later, with ids of its own."""
    made = []
    for row in rows:
        cells = dict(zip(NAMES, row, strict=True))
        cells["eventtime"] = f"{float(cells['eventtime']) + seconds:.6f}"
        for name in ("uniqueid", "linkedid"):
            cells[name] = f"{tag}{cells[name]}"
        for other in {value for key in ("uniqueid", "linkedid") for value in (r[NAMES.index(key)] for r in rows)}:
            cells["eventextra"] = cells["eventextra"].replace(f'"{other}"', f'"{tag}{other}"')
        made.append([cells[name] for name in NAMES])
    return made


def events(given: Iterable[list[str]]) -> list[Event]:
    """The rows as the events that they are."""
    made = []
    for n, row in enumerate(given, 1):
        cells = dict(zip(NAMES, row, strict=True))
        fields = {field: cells[column] for column, field in COLUMNS.items()}
        made.append(Event(n=n, **{**fields, "at": round(float(cells["eventtime"]) * 1_000_000)}))
    return made


class CelFile:
    """A file of channel events, written as Asterisk writes it: row by row, each in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = sqlite3.connect(path, isolation_level=None, timeout=5)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute(TABLE)

    def write(self, given: Iterable[list[str]]) -> None:
        """Append rows."""
        marks = ", ".join("?" for _ in NAMES)
        for row in given:
            self._file.execute(f"INSERT INTO cel ({', '.join(NAMES)}) VALUES ({marks})", row)

    def count(self) -> int:
        """How many rows there are."""
        return int(self._file.execute("SELECT count(*) FROM cel").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
