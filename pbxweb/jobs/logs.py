"""Asterisk's logs: turned over every night, so that a system that nobody looks at does not fill its disk."""

from __future__ import annotations

from pathlib import Path

from pbxweb.asterisk.engine import Engine

KEPT = 7


def rotate(engine: Engine, folder: Path) -> str:
    """Have Asterisk begin new log files in ``folder`` and drop all but the newest seven old ones of each.

    Raises EngineError when Asterisk does not answer.
    """
    engine.cli("logger rotate")
    dropped = 0
    for current in folder.glob("*.log"):
        old = [path for path in folder.glob(f"{current.name}.*") if path.suffix[1:].isdecimal()]
        for path in sorted(old, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
            path.unlink(missing_ok=True)
            dropped += 1
    return f"{dropped} old log files dropped"
