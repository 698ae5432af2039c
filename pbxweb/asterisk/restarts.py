"""What Asterisk only reads when it starts (transports, its list of modules): noted, and done when no call is up."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pbxweb.asterisk import control, process
from pbxweb.storage.files import write_atomic

if TYPE_CHECKING:
    from pbxweb.asterisk.layout import Layout
    from pbxweb.asterisk.running import Running

log = logging.getLogger(__name__)

END_SECONDS = 10.0


class Restarts:
    """Remembers, over restarts of pbxweb, what this very Asterisk process has not read yet."""

    def __init__(self, home: Path, layout: Layout, running: Running) -> None:
        self._path = home / "restart-needed.json"
        self._layout = layout
        self._running = running

    def note(self, files: Iterable[str]) -> None:
        """``files`` need a restart of the Asterisk that runs now. Raises OSError."""
        born = self._born()
        if born is not None:
            entry = {"process": born, "files": sorted({*self.pending(), *files})}
            write_atomic(self._path, json.dumps(entry).encode())

    def pending(self) -> tuple[str, ...]:
        """The files it has not read yet; empty when it was started since, or does not run."""
        try:
            entry = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return ()
        if entry["process"] != self._born():
            self._path.unlink(missing_ok=True)
            return ()
        return tuple(entry["files"])

    def when_idle(self, start: Callable[[], object]) -> bool:
        """Stop Asterisk and ``start`` it again, if something waits for that and no call is up; was it done?

        Raises AmiError when Asterisk does not answer, and what ``start`` raises.
        """
        files = self.pending()
        way = self._running.way() if files else None
        if way is None or way.busy():
            return False
        log.info("Asterisk is restarted for %s", ", ".join(files))
        born = self._born()
        if born is None:
            return False
        # It may be gone before it has answered. A graceful stop was seen to wait for seconds, refusing calls meanwhile.
        with contextlib.suppress(control.ControlError):
            control.ask(self._layout.control_socket, "core stop now")
        if not process.wait_gone(born[0], END_SECONDS):
            log.warning("Asterisk does not end")
            return False
        start()
        return True

    def _born(self) -> list[int] | None:
        """The running Asterisk as its pid and the tick it started at: never the same for two processes."""
        try:
            pid = control.ask(self._layout.control_socket, "core show version", timeout=2).pid
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return [pid, int(fields[19])]
