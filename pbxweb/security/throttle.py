"""A slow-down for guessing one account's password from many addresses, which cannot lock its owner out.

Beyond the limit per address (``limits.py``), an address that has failed three times on an account that sees many
failures must wait longer and longer, five minutes at most. Browsers and addresses that this person has signed in
from before never wait, and neither does an address that comes for the first time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

from pbxweb.security.errors import TooMany

ACCOUNT_FAILURES = 10
ADDRESS_FAILURES = 3
LONGEST_WAIT = 300
FORGET_AFTER = 1800
REMEMBERED = 20_000


class Throttle:
    """The failures of the last half hour, in this process (``app.extensions["pbxweb.throttle"]``)."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def _count(self, key: tuple[str, ...]) -> tuple[int, float]:
        count, last = self._failures.get(key, (0, 0.0))
        return (count, last) if time.monotonic() - last < FORGET_AFTER else (0, 0.0)

    def check(self, account: str, address: str) -> None:
        """Raise TooMany when ``address`` has to wait before it may try ``account`` again."""
        with self._lock:
            total, _ = self._count((account,))
            here, last = self._count((account, address))
        if here < ADDRESS_FAILURES or total < ACCOUNT_FAILURES:
            return
        wait = last + min(LONGEST_WAIT, 2 ** min(total - ACCOUNT_FAILURES, 16)) - time.monotonic()
        if wait > 0:
            raise TooMany(_sentence(round(wait) or 1), round(wait))

    def failed(self, account: str, address: str) -> None:
        """Note a wrong password."""
        now = time.monotonic()
        with self._lock:
            for key in ((account,), (account, address)):
                self._failures[key] = (self._count(key)[0] + 1, now)
                self._failures.move_to_end(key)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Note that the right password came from ``address``."""
        with self._lock:
            self._failures.pop((account, address), None)


def _sentence(seconds: int) -> Any:
    from flask_babel import ngettext

    return ngettext(
        "Too many attempts. Please try again in %(num)d second.",
        "Too many attempts. Please try again in %(num)d seconds.",
        seconds,
    )
