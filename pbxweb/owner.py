"""The owner lock: one pbxweb a state folder, so that no job runs twice and no two start the same Asterisk."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

LOCK_FILE = "owner.lock"


class OwnedError(RuntimeError):
    """Another pbxweb serves this state folder."""


class OwnerLock:
    """Held by the process that took it and by those it forks, until the last of them has ended."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_FILE
        self._descriptor: int | None = None

    def take(self, patience: float = 3.0) -> None:
        """Become the owner. Raises OwnedError.

        A killed owner's worker needs a moment to notice: where the recorded owner is gone, the lock is waited for,
        at most ``patience`` seconds. The file must be on this machine and is never removed.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
                alive = owner.isdecimal() and Path(f"/proc/{owner}").exists()
                if alive or time.monotonic() > deadline:
                    os.close(descriptor)
                    raise OwnedError(
                        f"pbxweb already runs on {self._path.parent} (process {owner or 'unknown'})"
                    ) from None
                time.sleep(0.05)
                continue
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._descriptor = descriptor
            return

    def release(self) -> None:
        """Let go; does nothing when not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
