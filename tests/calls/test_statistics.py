"""The tallies say what counting the calls would say, in the reader's own days."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, g
from hypothesis import given
from hypothesis import strategies as st

from pbxweb.calls import statistics, tallies
from pbxweb.calls.chart import ceiling, chart
from pbxweb.calls.models import DAY, EVERYBODY, HOUR, micro
from pbxweb.calls.tallies import pieces
from pbxweb.security.roles import Actor
from tests.calls.conftest import add, made_call

NOW = datetime(2026, 3, 29, 13, 30, tzinfo=UTC)


@given(st.integers(0, 10**16), st.integers(0, 10**14))
def test_pieces_cover_the_time_without_gap_or_overlap(low: int, length: int) -> None:
    found = list(pieces(low, low + length))
    assert sum(piece.high - piece.low for piece in found) == length
    assert [piece.low for piece in found[1:]] == [piece.high for piece in found[:-1]]
    assert all(piece.low % piece.span == piece.high % piece.span == 0 for piece in found if piece.span)


@pytest.fixture
def month(context: Flask) -> list[tuple[datetime, str, int]]:
    """Calls of forty days: when, outcome, talk seconds."""
    chance = random.Random(5)
    calls = []
    for _ in range(400):
        at = NOW - timedelta(seconds=chance.randrange(40 * 86400))
        calls.append((at, chance.choice(("answered", "missed", "busy", "failed")), chance.randrange(500)))
    add([
        made_call(at.timestamp(), disposition=how, talk=talk, caller=str(201 + i % 3), called="209")
        for i, (at, how, talk) in enumerate(calls)
    ])  # fmt: skip
    return calls


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
def test_the_figures_are_those_of_the_readers_days(
    month: list[tuple[datetime, str, int]], boss: Actor, zone: str
) -> None:
    g.timezone = zone
    where = ZoneInfo(zone)
    found = statistics.statistics(boss, now=NOW)
    today = NOW.astimezone(where).date()
    for figures, first in (
        (found.today, today),
        (found.week, today - timedelta(days=today.weekday())),
        (found.month, today.replace(day=1)),
    ):
        inside = [(how, talk) for at, how, talk in month if at.astimezone(where).date() >= first]
        assert figures.total == len(inside)
        for word in ("answered", "missed", "busy", "failed"):
            assert getattr(figures, word) == sum(how == word for how, _ in inside)
        talks = [talk for how, talk in inside if how == "answered"]
        assert figures.average_talk_seconds == (round(sum(talks) / len(talks)) if talks else 0)


def test_the_chart_has_thirty_days_and_a_day_without_calls_is_there_too(
    month: list[tuple[datetime, str, int]], boss: Actor
) -> None:
    days = statistics.statistics(boss, now=NOW).days
    assert len(days) == 30
    for day in days:
        assert day.total == sum(at.date() == day.day for at, _, _ in month)


def test_one_phone_has_its_own_figures(month: list[tuple[datetime, str, int]], boss: Actor) -> None:
    whole = statistics.statistics(boss, now=NOW).month.total
    parts = [statistics.statistics(boss, extension=number, now=NOW).month.total for number in ("201", "202", "203")]
    assert sum(parts) == whole
    assert statistics.statistics(boss, extension="209", now=NOW).month.total == whole


def test_a_tally_of_any_stretch_is_the_count_of_its_calls(month: list[tuple[datetime, str, int]]) -> None:
    chance = random.Random(8)
    for _ in range(40):
        low, high = sorted(micro(NOW) - chance.randrange(40 * DAY) for _ in range(2))
        right = sum(low <= micro(at) < high for at, _, _ in month)
        assert tallies.count(EVERYBODY, range(12), low, high) == right
        assert tallies.count("209", range(12), low, high) == right


def test_the_hours_of_the_chart_are_the_hours_of_the_calls(month: list[tuple[datetime, str, int]]) -> None:
    hours = tallies.by_hour([EVERYBODY], 0, micro(NOW) + DAY)
    assert sum(calls for _, calls, _ in hours) == len(month)
    assert sum(answered for _, _, answered in hours) == sum(how == "answered" for _, how, _ in month)
    assert all(hour % HOUR == 0 for hour, _, _ in hours)


def test_no_calls_are_nought_everywhere(context: Flask, boss: Actor) -> None:
    found = statistics.statistics(boss)
    assert (found.month.total, found.month.average_talk_seconds) == (0, 0)
    assert chart(found.days).bars[0].height == 0


@pytest.mark.parametrize(("value", "top"), [(0, 4), (4, 4), (5, 8), (17, 20), (41, 80), (1000, 2000)])
def test_the_scale_ends_at_a_round_number(value: int, top: int) -> None:
    assert ceiling(value) == top


def test_the_peak_is_the_most_calls_at_one_moment_of_the_day(context: Flask) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    assert statistics.peak(midnight, []) == 0
    at = midnight.timestamp()
    spans = [(-100, 200), (-50, 20), (-50, 500), (1000, 60), (1010, 60), (2000, 5)]
    add([made_call(at + start, caller=str(201 + n), talk=talk) for n, (start, talk) in enumerate(spans)])
    assert statistics.peak(midnight, []) == 2
    assert statistics.peak(midnight, [midnight + timedelta(seconds=1005)]) == 3
    assert statistics.peak(midnight, [midnight - timedelta(hours=30)]) == 3
    assert statistics.peak(midnight + timedelta(days=2), []) == 0
