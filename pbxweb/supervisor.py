"""One child process, kept alive: started again when it dies or hangs, ended when we are told to end.

The parent imports next to nothing, so that what waits for years takes little memory.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import struct
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# A child that ends with this code cannot do its work: another would fare no better.
GIVEN_UP = 3
WATCHED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD})
LOOK_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
QUIET_LIFE = 10.0  # a child that lived so long was well: the next one is started at once


class Pulse:
    """What parent and child share: whether the child was ever ready, and when it last showed that it lives."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16)

    @property
    def ready(self) -> bool:
        """Has any child been ready?"""
        return bool(self._memory[0])

    def set_ready(self) -> None:
        """The child is ready."""
        self._memory[0] = 1

    def beat(self) -> None:
        """The child lives."""
        struct.pack_into("d", self._memory, 8, time.monotonic())

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        last: float = struct.unpack_from("d", self._memory, 8)[0]
        return time.monotonic() - last


def supervise(work: Callable[[], int], pulse: Pulse, *, stop_seconds: float, hang_seconds: float) -> int:
    """Run ``work`` in a child of this process until SIGTERM, SIGINT or SIGQUIT comes; the exit code.

    In: ``work`` returns the child's exit code; ``stop_seconds`` it has after SIGTERM, ``hang_seconds`` between two
    beats of its pulse. Out: 0 when ended on purpose, GIVEN_UP when the child said that it cannot work.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        return _watch(work, pulse, stop_seconds, hang_seconds)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(work: Callable[[], int], pulse: Pulse, stop_seconds: float, hang_seconds: float) -> int:
    pause = FIRST_PAUSE
    while True:
        began = time.monotonic()
        child = _fork(work, pulse)
        status = None
        while status is None:
            came = signal.sigtimedwait(WATCHED, LOOK_SECONDS)
            if came is not None and came.si_signo != signal.SIGCHLD:
                _end(child, stop_seconds)
                return 0
            if pulse.silence > hang_seconds:
                log.error("the web process (%s) does not move any more; it is ended", child)
                os.kill(child, signal.SIGKILL)
                pulse.beat()
            status = _status(child)
        if status == GIVEN_UP:
            return status
        log.error("the web process (%s) ended by itself (%s); it is started again", child, status)
        pause = FIRST_PAUSE if time.monotonic() - began > QUIET_LIFE else min(pause * 2, LONGEST_PAUSE)
        if _told_to_end(pause):
            return 0


def _fork(work: Callable[[], int], pulse: Pulse) -> int:
    pulse.beat()
    child = os.fork()
    if child:
        return child
    code = GIVEN_UP
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        code = work()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        log.exception("the web process failed")
    finally:
        logging.shutdown()
        os._exit(code)


def _status(child: int) -> int | None:
    """The child's exit code (negative: the signal that ended it); None while it lives."""
    gone, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if gone else None


def _told_to_end(seconds: float) -> bool:
    """Wait so long before the next child; True when we are told to end meanwhile."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        came = signal.sigtimedwait(WATCHED, left)
        if came is not None and came.si_signo != signal.SIGCHLD:
            return True
    return False


def _end(child: int, seconds: float) -> None:
    """SIGTERM, and SIGKILL for a child that does not end in time."""
    os.kill(child, signal.SIGTERM)
    until = time.monotonic() + seconds
    while _status(child) is None:
        left = until - time.monotonic()
        if left <= 0:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        signal.sigtimedwait({signal.SIGCHLD}, left)
