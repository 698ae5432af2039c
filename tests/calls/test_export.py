"""The history as CSV."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from pbxweb.calls import export
from pbxweb.calls.history import Filter
from pbxweb.security.errors import Invalid
from pbxweb.security.roles import Actor
from tests.calls.conftest import add, made_call


def table(actor: Actor, wanted: Filter, zone: str = "UTC") -> list[dict[str, str]]:
    text = "".join(export.rows(actor, wanted, ZoneInfo(zone)))
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_it_has_every_call_newest_first(context: Flask, boss: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PORTION", 7)
    add([made_call(1_000_000_000 + index) for index in range(30)])
    started = [row["started"] for row in table(boss, Filter())]
    assert started == sorted(started, reverse=True)
    assert len(set(started)) == 30


def test_the_times_are_local(context: Flask, boss: Actor) -> None:
    add([made_call(1_780_000_000)])
    assert table(boss, Filter(), "Europe/Berlin")[0]["started"] == "2026-05-28T22:26:40+02:00"


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "-2+3", "+cmd|' /C calc'!A0", "\tx"])
def test_a_name_is_never_a_formula(context: Flask, boss: Actor, name: str) -> None:
    add([made_call(1_780_000_000, caller="0301", direction="inbound", name=name)])
    assert table(boss, Filter())[0]["caller_name"] == f"'{name}"


def test_a_number_stays_a_number(context: Flask, boss: Actor) -> None:
    add([made_call(1_780_000_000, called="+4930123", direction="outbound")])
    assert table(boss, Filter())[0]["called_number"] == "+4930123"


def test_it_takes_the_filter(context: Flask, boss: Actor) -> None:
    add([made_call(1_780_000_000), made_call(1_780_000_100, disposition="missed")])
    assert [row["outcome"] for row in table(boss, Filter(dispositions=("missed",)))] == ["missed"]


def test_a_wrong_filter_is_refused_before_anything_is_sent(context: Flask, boss: Actor) -> None:
    with pytest.raises(Invalid):
        export.rows(boss, Filter(directions=("up",)), ZoneInfo("UTC"))
