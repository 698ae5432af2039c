"""Passwords of people: how they are kept, compared and judged."""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from pbxweb.security.errors import Unavailable

COST = 11  # 120 ms of one desktop core, about 0.4 s on a single-board computer
MIN_LENGTH = 10
MAX_LENGTH = 200
WAITING = 6

# bcrypt keeps a core busy. At most half of them work on it, a few more requests wait for that,
# and the rest is told to come again, so that guessing cannot take the pages' threads.
_working = threading.BoundedSemaphore(max(1, (os.cpu_count() or 2) // 2))
_waiting = threading.BoundedSemaphore(WAITING)

# The heart of what people choose: passwords built around one of these count it as a single character.
COMMON = """
    password passwort kennwort geheim qwertz qwerty asdfgh yxcvbn zxcvbn iloveyou ichliebedich hallo hello welcome
    willkommen admin administrator letmein master monkey dragon sunshine princess football fussball baseball
    shadow superman batman michael thomas andreas schatz schalke bayern borussia dortmund hamburg berlin muenchen
    sommer winter herbst fruehling summer spring autumn trustno1 starwars computer internet telefon telephone
    asterisk pbxweb raspberry server secret changeme default guest root test user login office firma company phone
    familie family lovely forever freedom whatever flower blume schmetterling mausi hase baby angel jordan harley
    ranger daniel alexander christian sebastian stefan martin peter klaus nadine sabine nicole julia jessica
    jennifer
""".split()  # noqa: SIM905 - easier to read and to extend than a list of quotes
RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertzuiop", "qwertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm")


@dataclass(frozen=True)
class Strength:
    """How hard a password is to guess: ``score`` from 0 to 4, and its word for people."""

    score: int
    label: Any


def _material(plain: str) -> bytes:
    # bcrypt reads 72 bytes and stops at NUL: a digest makes every password fit.
    normal = unicodedata.normalize("NFKC", plain)
    return base64.b64encode(hashlib.sha256(normal.encode("utf-8", "surrogatepass")).digest())


@contextmanager
def _turn() -> Iterator[None]:
    from flask_babel import gettext

    if not _waiting.acquire(blocking=False):
        raise Unavailable(gettext("Many people are signing in right now. Please try again in a few seconds."))
    try:
        with _working:
            yield
    finally:
        _waiting.release()


def hash_password(plain: str) -> str:
    """``plain`` as a bcrypt hash (of its SHA-256, so that any length counts in full). Raises Unavailable when busy."""
    import bcrypt

    with _turn():
        return bcrypt.hashpw(_material(plain), bcrypt.gensalt(COST)).decode()


@cache
def _nobody(cost: int) -> str:
    import bcrypt

    return bcrypt.hashpw(os.urandom(16).hex().encode(), bcrypt.gensalt(cost)).decode()


def verify_password(plain: str, hashed: str | None) -> bool:
    """Is ``plain`` the password of ``hashed``? Without a hash it takes the same time and says no.

    Raises Unavailable when too many others are being checked.
    """
    import bcrypt

    with _turn():
        matches = bcrypt.checkpw(_material(plain), (hashed or _nobody(COST)).encode())
    return matches and hashed is not None


def outdated(hashed: str) -> bool:
    """Was ``hashed`` made with another cost than today's?"""
    return not hashed.startswith(f"$2b${COST:02d}$")


def _shortened(text: str) -> str:
    for word in sorted(COMMON, key=len, reverse=True):
        text = text.replace(word, word[0])
    for run in (*RUNS, *(r[::-1] for r in RUNS)):
        for size in range(len(run), 2, -1):
            for start in range(len(run) - size + 1):
                text = text.replace(run[start : start + size], run[start])
    text = re.sub(r"(.)\1{2,}", r"\1", text)
    return re.sub(r"(.{2,}?)\1+", r"\1", text)


def bits(password: str) -> float:
    """A careful guess of the password's entropy: its character kinds times what is left without repeats,
    sequences of keys and well-known words."""
    folded = unicodedata.normalize("NFKC", password).casefold()
    plain = folded.translate(str.maketrans("013457$@!", "oieastsai"))
    left = min((_shortened(folded), _shortened(plain)), key=len)
    kinds = ((r"[a-z]", 26), (r"[A-Z]", 26), (r"[0-9]", 10), (r"[^a-zA-Z0-9]", 30))
    pool = sum(size for pattern, size in kinds if re.search(pattern, password))
    return len(left) * math.log2(max(pool, 1) or 1) if pool > 1 else 0.0


def strength(password: str) -> Strength:
    """How good ``password`` is; ``score`` 2 and more are accepted."""
    from flask_babel import gettext

    amount = bits(password)
    score = sum(amount >= limit for limit in (28, 40, 60, 80)) if len(password) >= MIN_LENGTH else 0
    labels = (gettext("Too weak"), gettext("Weak"), gettext("Fair"), gettext("Good"), gettext("Strong"))
    return Strength(score, labels[score])


def fault(password: str, parts: Iterable[str] = ()) -> Any | None:
    """Why ``password`` is not accepted, as a sentence for people; None when it is.

    ``parts`` are what anybody knows about the person (e-mail address, names): they do not count.
    """
    from flask_babel import gettext, ngettext

    from pbxweb.security import text

    if len(password) < MIN_LENGTH:
        return ngettext("Use at least %(num)d character.", "Use at least %(num)d characters.", MIN_LENGTH)
    if len(password) > MAX_LENGTH:
        return ngettext("Use at most %(num)d character.", "Use at most %(num)d characters.", MAX_LENGTH)
    invisible = text.fault(password)
    if invisible:
        return invisible
    rest = password
    for part in sorted(
        (p for whole in parts for p in re.split(r"[^\w]+|_", whole) if len(p) >= 3), key=len, reverse=True
    ):
        rest = re.sub(re.escape(part), "", rest, flags=re.IGNORECASE)
    if rest != password and (len(rest) < 6 or bits(rest) < 28):
        return gettext("This contains the e-mail address or the name. Choose something that nobody can derive.")
    if strength(password).score < 2:
        return gettext("This is easy to guess. Three or four unrelated words make a good password.")
    return None
