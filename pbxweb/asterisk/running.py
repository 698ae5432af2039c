"""The Asterisk that runs right now, as far as applying a change needs it: reload, ask, count calls, restart."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from flask_babel import gettext

from pbxweb.asterisk import control, process, verify
from pbxweb.asterisk.ami_messages import AmiError, AmiFailed
from pbxweb.asterisk.ami_verbs import AmiVerbs
from pbxweb.asterisk.layout import Layout
from pbxweb.security.errors import Refused, Unavailable
from pbxweb.storage.files import write_atomic

log = logging.getLogger(__name__)

RELOAD_SECONDS = 8.0
# A link that was just lost is usually back within this time.
LINK_SECONDS = 2.0
# While Asterisk starts it only queues a reload.
TAKEN_SECONDS = 0.5


class Running:
    """One instance's Asterisk, spoken to over AMI; over its control socket only to undo what AMI cannot any more."""

    def __init__(self, layout: Layout, link: AmiVerbs | None = None) -> None:
        self._layout = layout
        self.link = link

    def up(self) -> bool:
        """True: it runs and can be talked to. False: it does not run, so files take effect when it starts.

        Raises Unavailable when it runs but cannot be talked to: then nobody could say what it did with a change.
        """
        if self._connected():
            return True
        if not self._there():
            return False
        deadline = time.monotonic() + LINK_SECONDS
        while time.monotonic() < deadline:
            if self._connected():
                return True
            time.sleep(0.02)
        raise Unavailable(
            gettext("The connection to Asterisk is interrupted. Nothing was changed; try again in a few seconds.")
        )

    def _connected(self) -> bool:
        return self.link is not None and bool(getattr(self.link, "connected", True))

    def _there(self) -> bool:
        try:
            control.ask(self._layout.control_socket, "core show version", timeout=1)
        except control.ControlError:
            return process.find_instance(self._layout.config) is not None
        return True

    def _verbs(self) -> AmiVerbs:
        if self.link is None:
            raise Unavailable(gettext("There is no connection to Asterisk."))
        return self.link

    def reload(self, module: str) -> None:
        """Let Asterisk read the files of ``module`` again. Raises AmiError."""
        deadline = time.monotonic() + RELOAD_SECONDS
        while True:
            try:
                self._verbs().reload(module, timeout=RELOAD_SECONDS)
                return
            except AmiFailed as error:
                if "progress" not in error.message or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def confirm(self, file: str, old: str, new: str) -> None:
        """Raise Refused when Asterisk does not run ``new`` from ``file``, and AmiError when it does not answer."""
        deadline = time.monotonic() + TAKEN_SECONDS
        while (missing := verify.not_taken(self._verbs(), file, old, new)) is not None:
            if time.monotonic() > deadline:
                raise Refused(_not_taken(missing))
            time.sleep(0.02)

    def runs(self, file: str, text: str) -> bool | None:
        """Does it run ``text`` from ``file``? None where it cannot be asked. Raises AmiError."""
        return verify.runs(self._verbs(), file, text)

    def reload_by_any_way(self, modules: Iterable[str]) -> set[str]:
        """Reload ``modules`` over AMI, else over the control socket; those for which it worked."""
        done = set()
        for module in modules:
            try:
                self.reload(module)
            except (AmiError, Unavailable):
                try:
                    control.ask(self._layout.control_socket, f"module reload {module}", RELOAD_SECONDS)
                except control.ControlError as error:
                    log.warning("%s could not be reloaded after its files were put back: %s", module, error)
                    continue
            done.add(module)
        return done

    def calls(self) -> int:
        """How many calls are up. Raises AmiError, Unavailable."""
        return int(self._verbs().send("CoreStatus").get("CoreCurrentCalls") or 0)


def _not_taken(missing: verify.NotTaken) -> Any:
    if missing.name:
        return gettext(
            "Asterisk did not take over “%(name)s”, so everything is as it was before. Check what was entered there.",
            name=missing.name,
        )
    return gettext("Asterisk could not read the new %(file)s, so everything is as it was before.", file=missing.file)


class Restarts:
    """Remembers, over restarts of pbxweb, what this very Asterisk process will only read when it starts again."""

    def __init__(self, home: Path, layout: Layout) -> None:
        self._path = home / "restart-needed.json"
        self._layout = layout

    def note(self, files: Iterable[str]) -> None:
        """Some of ``files`` need a restart of the Asterisk that runs now."""
        born = self._born()
        if born is not None:
            known = self.pending()
            entry = {"process": born, "files": sorted({*known, *files})}
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

    def wait_for_end(self, timeout: float = 10.0) -> None:
        """Wait until the process that runs now has ended, at most ``timeout`` seconds."""
        born = self._born()
        if born is not None:
            process.wait_gone(int(born[0]), timeout)

    def _born(self) -> Sequence[int] | None:
        """The running Asterisk as its pid and the tick it started at: never the same for two processes."""
        try:
            pid = control.ask(self._layout.control_socket, "core show version", timeout=2).pid
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return [pid, int(fields[19])]
