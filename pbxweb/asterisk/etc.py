"""The folder of files that Asterisk reads: read once, replaced together, put back when anything goes wrong.

Asterisk takes an empty or missing file for "delete everything", so a file is at every moment wholly old or wholly
new. What is replaced stays beside it as ``.<name>.previous`` until all is committed: putting it back is a rename and
works on a full disk too. Such a file left behind also tells that a change was cut short.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pbxweb.storage.files import sync_folder

NEW = ".new"
PREVIOUS = ".previous"

Signature = tuple[int, int, int]


@dataclass(frozen=True)
class _Seen:
    signature: Signature
    data: bytes


def _signature(facts: os.stat_result) -> Signature:
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


class EtcFolder:
    """The folder, with what was last read from or written to it kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = f"{folder}{os.sep}"
        self._seen: dict[str, _Seen] = {}

    def read(self, file: str) -> bytes | None:
        """What is in ``file`` now, None when it is absent. Read from the disk only when it was touched by others."""
        try:
            signature = _signature(os.stat(self._prefix + file))  # noqa: PTH116 - done for every file at every change
            seen = self._seen.get(file)
            if seen is None or seen.signature != signature:
                seen = self._seen[file] = _Seen(signature, (self.folder / file).read_bytes())
        except FileNotFoundError:
            return None
        return seen.data

    def stage(self, files: Mapping[str, bytes]) -> Replacement:
        """Write ``files`` beside the present ones, on the disk for sure, nothing replaced yet.

        Raises OSError (disk full, folder not writable) with nothing left behind.
        """
        replacement = Replacement(self, files)
        try:
            for file, data in files.items():
                self._write_new(file, data)
        except BaseException:
            replacement.forget()
            raise
        return replacement

    def _write_new(self, file: str, data: bytes) -> None:
        path = self.folder / f".{file}{NEW}"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            # The kernel's clock of files ticks in milliseconds, and Asterisk skips a file of the same size and time.
            moment = time.time_ns()
            os.utime(stream.fileno(), ns=(moment, moment))
            os.fsync(stream.fileno())

    def remember(self, file: str, data: bytes) -> None:
        """``data`` was just put into ``file``."""
        self._seen[file] = _Seen(_signature((self.folder / file).stat()), data)

    def leftovers(self) -> list[str]:
        """Remove what a killed process left behind; the files whose replacement it had begun."""
        begun = []
        for path in sorted(self.folder.glob(".*")):
            if path.name.endswith(PREVIOUS):
                begun.append(path.name.removeprefix(".").removesuffix(PREVIOUS))
                path.unlink()
            elif path.name.endswith(NEW):
                path.unlink()
        return begun


class Replacement:
    """Files that are about to take the place of others: ``publish``, ``settle``, then ``forget`` or ``restore``."""

    def __init__(self, etc: EtcFolder, files: Mapping[str, bytes]) -> None:
        self._etc = etc
        self.files = files
        self._published: dict[str, bytes | None] = {}

    def publish(self) -> None:
        """Replace one file after the other, each atomically. Raises OSError."""
        folder = self._etc.folder
        for file, data in self.files.items():
            path, previous = folder / file, folder / f".{file}{PREVIOUS}"
            before = self._etc.read(file)
            previous.unlink(missing_ok=True)
            if before is None:
                previous.touch(mode=0o600)
            else:
                os.link(path, previous)
            self._published[file] = before
            (folder / f".{file}{NEW}").replace(path)
            self._etc.remember(file, data)

    def settle(self) -> None:
        """Make what was published survive a power cut. Raises OSError."""
        sync_folder(self._etc.folder)

    def restore(self) -> None:
        """Put back what was there before. Raises OSError only when the folder itself is gone or locked."""
        folder = self._etc.folder
        for file, before in self._published.items():
            previous = folder / f".{file}{PREVIOUS}"
            if before is None:
                (folder / file).unlink(missing_ok=True)
                previous.unlink(missing_ok=True)
            elif previous.exists():
                moment = time.time_ns()
                os.utime(previous, ns=(moment, moment))
                previous.replace(folder / file)
                self._etc.remember(file, before)
        self.forget()
        sync_folder(folder)

    def forget(self) -> None:
        """Remove what was kept or written beside the files."""
        for file in self.files:
            for ending in (NEW, PREVIOUS):
                with contextlib.suppress(OSError):
                    (self._etc.folder / f".{file}{ending}").unlink()


class Turn:
    """Whose turn it is to touch the files: one at a time, over all threads and processes of this instance."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> Turn:
        """Wait for the turn. Raises OSError when the lock file cannot be made."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except BaseException:
            self.leave()
            raise
        return self

    def leave(self) -> None:
        """Let the next one in; harmless when called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
