"""The bars of the statistics page, measured on the server: the page draws them as SVG without any script or style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pbxweb.calls.statistics import Day

HEIGHT = 160
STEP = 24


@dataclass(frozen=True)
class Bar:
    """A day as two stacked bars, answered below; lengths are SVG units from the left and the top."""

    day: date
    total: int
    answered: int
    x: int
    top: float
    height: float
    answered_top: float
    answered_height: float


@dataclass(frozen=True)
class Chart:
    """All bars, the size of the picture and the lines behind them: (number of calls, place from the top)."""

    bars: list[Bar]
    width: int
    height: int
    lines: list[tuple[int, float]]


def ceiling(value: int) -> int:
    """A round number that is at least ``value`` and divides well: 4, 8, 20, 40, 80, 200 …"""
    size = 4
    while True:
        for step in (1, 2, 5):
            if size * step >= value:
                return size * step
        size *= 10


def chart(days: Sequence[Day]) -> Chart:
    """The chart of these days, the oldest at the left."""
    most = ceiling(max((day.total for day in days), default=0))
    unit = HEIGHT / most
    bars = [
        Bar(
            day=day.day,
            total=day.total,
            answered=day.answered,
            x=index * STEP,
            top=round(HEIGHT - day.total * unit, 1),
            height=round((day.total - day.answered) * unit, 1),
            answered_top=round(HEIGHT - day.answered * unit, 1),
            answered_height=round(day.answered * unit, 1),
        )
        for index, day in enumerate(days)
    ]
    lines = [(most * part // 4, round(HEIGHT - HEIGHT * part / 4, 1)) for part in range(5)]
    return Chart(bars, len(days) * STEP, HEIGHT, lines)
