"""Processes that may not be our children: found by what they run, watched and ended without races."""

from __future__ import annotations

import os
import select
import signal
import time
from itertools import pairwise
from pathlib import Path

PROC = Path("/proc")


def find_instance(config: Path) -> int | None:
    """The process of this user that runs Asterisk with ``-C config``, or None. Consoles (``-r``) do not count."""
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and runs_instance(int(entry.name), config):
            return int(entry.name)
    return None


def runs_instance(pid: int, config: Path) -> bool:
    """Is ``pid`` the Asterisk of ``config``? A pid that was given to another program since is not."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    wanted = os.fsencode(config)
    if not any(first == b"-C" and second == wanted for first, second in pairwise(words)):
        return False
    return not any(word.startswith((b"-r", b"-R", b"-x")) for word in words)


def wait_gone(pid: int, timeout: float | None) -> bool:
    """Wait until ``pid`` has ended; False when it has not within ``timeout`` seconds (None: wait for ever)."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if timeout is None else max(0, timeout) * 1000))
    finally:
        os.close(descriptor)


def end(pid: int, timeout: float) -> None:
    """Ask ``pid`` to end, and kill it when it has not within ``timeout`` seconds."""
    try:
        os.kill(pid, signal.SIGTERM)
        if not wait_gone(pid, timeout):
            os.kill(pid, signal.SIGKILL)
            wait_gone(pid, 5)
    except ProcessLookupError:
        return


def memory(pid: int) -> int:
    """Resident memory of ``pid`` in bytes, shared pages split among those who share them; 0 when not readable."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def uptime(pid: int) -> float:
    """Seconds since ``pid`` started. Raises OSError when it is gone."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
