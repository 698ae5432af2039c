"""How a measurement is shown."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a title (what, and its bar) and its rows."""
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:<56} {value:>16}")


def milliseconds(seconds: float) -> str:
    """As people read it."""
    return f"{seconds * 1000:.1f} ms"


def median_seconds(action: Callable[[], object], times: int = 15) -> float:
    """The median of how long ``action`` takes."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
