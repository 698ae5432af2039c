"""Which number comes next. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from pbxweb.extensions.models import why_not

DEFAULT_DIGITS = 3


def first_of(digits: int) -> str:
    """Where a plan of ``digits`` digits begins: 21, 201, 2001 …"""
    return "2" + "0" * (digits - 2) + "1"


def free_from(first: str, count: int, used: Collection[str]) -> list[str]:
    """Up to ``count`` numbers from ``first`` upwards, as long as ``first``, that are allowed and not in ``used``."""
    found: list[str] = []
    value, digits = int(first or 0), len(first)
    while digits and len(found) < count and value < 10**digits:
        number = f"{value:0{digits}}"
        if number not in used and why_not(number) is None:
            found.append(number)
        value += 1
    return found


def suggest(used: Collection[str], digits: int | None = None) -> str:
    """A free number for the next phone: the first gap of the plan.

    In: the numbers in use and how many digits the plan has (None: as most of ``used``). Out: empty when the plan
    is full.
    """
    if digits is None:
        common = Counter(len(number) for number in used).most_common(1)
        digits = common[0][0] if common else DEFAULT_DIGITS
    same = [number for number in used if len(number) == digits]
    start = min([first_of(digits), *same]) if same else first_of(digits)
    found = free_from(start, 1, used) or free_from("1" + "0" * (digits - 1), 1, used)
    return found[0] if found else ""
