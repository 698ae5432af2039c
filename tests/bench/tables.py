"""How a measurement is shown, and how it is held to its bar."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a title (what, and its bar) and its rows."""
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:<60} {value:>18}", flush=True)


def milliseconds(seconds: float) -> str:
    """As people read it."""
    return f"{seconds * 1000:.1f} ms"


def timed(action: Callable[[], object]) -> float:
    """The seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def median_seconds(action: Callable[[], object], times: int = 15) -> float:
    """The median of how long ``action`` takes."""
    return statistics.median(timed(action) for _ in range(times))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
