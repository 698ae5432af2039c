"""Filters, pages and cursors give what looking at every call would give."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from pbxweb.calls import history, seeks
from pbxweb.calls.history import Filter, cursor
from pbxweb.calls.models import Call, Party
from pbxweb.security.errors import Forbidden, Invalid, NotFound
from pbxweb.security.roles import Actor, Role
from pbxweb.storage.database import db
from tests.calls.conftest import add, made_call
from tests.conftest import Person

BEGIN = datetime(2026, 3, 27, 12, tzinfo=UTC)


@pytest.fixture
def many(context: Flask) -> Flask:
    """Two hundred and forty calls in three days, some at the same microsecond."""
    chance = random.Random(3)
    calls = []
    for index in range(240):
        direction = chance.choice(("internal", "inbound", "outbound"))
        caller, called = chance.sample([str(n) for n in range(201, 209)], 2)
        if direction == "inbound":
            caller = chance.choice(("+4930123456", "030777", "0151234"))
        if direction == "outbound":
            called = chance.choice(("+4930123456", "030777", "0151234"))
        calls.append(
            made_call(
                BEGIN.timestamp() + (index // 3) * 3240.5,
                caller, called, direction=direction, talk=chance.randrange(100),
                disposition=chance.choice(("answered", "answered", "missed", "busy", "failed")),
                name="Ünal & Söhne" if caller == "030777" else "",
            )
        )  # fmt: skip
        calls[-1].linkedid = f"call-{index}"
    add(calls, {"201": "Anna Schmidt"})
    return context


def expected(wanted: Filter) -> list[int]:
    """The same by looking at everything."""
    parties: dict[int, set[str]] = {}
    for seq, number in db.session.execute(select(Party.seq, Party.number)):
        parties.setdefault(seq, set()).add(number)
    text = wanted.search.lower()
    named = {"201": "anna schmidt", "030777": "ünal & söhne"}

    def fits(call: Call) -> bool:
        numbers = parties[call.seq]
        return (
            (not wanted.start or call.started_at >= wanted.start)
            and (not wanted.end or call.started_at < wanted.end)
            and (not wanted.extension or wanted.extension in numbers)
            and (not wanted.directions or call.direction in wanted.directions)
            and (not wanted.dispositions or call.disposition in wanted.dispositions)
            and (not text or any(text in n or text in named.get(n, "") for n in numbers))
        )

    rows = db.session.scalars(select(Call).order_by(Call.started.desc(), Call.seq.desc()))
    return [call.seq for call in rows if fits(call)]


FILTERS = [
    Filter(),
    Filter(extension="203"),
    Filter(directions=("inbound",)),
    Filter(dispositions=("failed", "busy")),
    Filter(extension="204", directions=("outbound",), dispositions=("answered",)),
    Filter(start=BEGIN + timedelta(hours=5, minutes=7), end=BEGIN + timedelta(hours=31)),
    Filter(extension="205", start=BEGIN + timedelta(hours=9), end=BEGIN + timedelta(hours=40)),
    Filter(search="4930"),
    Filter(search="20"),
    Filter(search="20", extension="206"),
    Filter(search="777", directions=("inbound",)),
    Filter(search="anna"),
    Filter(search="söhne", dispositions=("missed",)),
    Filter(search="nobody"),
    Filter(extension="299"),
]


@pytest.mark.parametrize("wanted", FILTERS, ids=[str(i) for i in range(len(FILTERS))])
@pytest.mark.parametrize("way", ["seeks", "gathered", "walked"])
def test_every_way_through_the_pages_shows_every_call_once(
    many: Flask, boss: Actor, wanted: Filter, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "seeks":
        monkeypatch.setattr(seeks, "SEEKS", 0)
    if way == "walked":
        monkeypatch.setattr(seeks, "GATHER", 0)
    right = expected(wanted)
    down, at, page = [], None, 1
    while True:
        found = history.calls(boss, wanted, limit=23, older_than=at)
        down += [call.seq for call in found.calls]
        by_page = [call.seq for call in history.calls(boss, wanted, limit=23, page=page).calls]
        assert by_page == right[(page - 1) * 23 : page * 23]
        if found.exact and not at:
            assert found.total == len(right)
        if not found.older:
            break
        at, page = found.older, page + 1
    assert down == right
    up, at = [], found.newer
    up = [call.seq for call in found.calls]
    while at:
        found = history.calls(boss, wanted, limit=23, newer_than=at)
        up = [call.seq for call in found.calls] + up
        at = found.newer
    assert up == right


def test_a_page_behind_the_last_is_empty(many: Flask, boss: Actor) -> None:
    assert history.calls(boss, Filter(), page=1000).calls == []


def test_the_newest_page_has_nothing_newer(many: Flask, boss: Actor) -> None:
    assert history.calls(boss, Filter(), limit=10).newer is None


def test_like_signs_in_a_search_mean_themselves(many: Flask, boss: Actor) -> None:
    assert history.calls(boss, Filter(search="%")).total == 0
    assert history.calls(boss, Filter(search="_")).total == 0


def test_a_number_is_found_however_it_is_grouped(many: Flask, boss: Actor) -> None:
    assert (
        history.calls(boss, Filter(search="+49 (30) 123-456")).total == len(expected(Filter(search="+4930123456"))) > 0
    )


@pytest.mark.parametrize("text", ["x", "1", "1-", "-1", "1-2-3", "²-1", "1" * 50 + "-1"])
def test_a_cursor_that_nobody_gave_is_refused(context: Flask, text: str) -> None:
    with pytest.raises(Invalid):
        cursor(text)


def test_an_unknown_word_is_refused(context: Flask, boss: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        history.calls(boss, Filter(directions=("sideways",)))
    assert "direction" in refusal.value.fields


def test_people_see_the_calls_of_their_own_phones(
    many: Flask, person: Callable[..., Person], phone: Callable[..., str]
) -> None:
    someone = person("user")
    phone("201", user_id=someone.id)
    phone("202", user_id=someone.id)
    who = Actor("Someone", Role.USER, someone.id)
    seen = history.calls(who, Filter(), limit=600)
    right = sorted({*expected(Filter(extension="201")), *expected(Filter(extension="202"))})
    assert sorted(call.seq for call in seen.calls) == right
    assert seen.total == len(right)
    assert history.calls(who, Filter(extension="203")).calls == []
    foreign = next(seq for seq in expected(Filter(extension="203")) if seq not in right)
    key = db.session.scalar(select(Call.id).where(Call.seq == foreign))
    with pytest.raises(NotFound):
        history.one(who, str(key))


def test_without_a_phone_there_is_nothing_to_see(many: Flask, person: Callable[..., Person]) -> None:
    who = Actor("Someone", Role.AGENT, person("agent").id)
    assert history.calls(who, Filter()).total == 0


def test_a_call_is_found_by_its_id_and_by_asterisks(many: Flask, boss: Actor) -> None:
    call = db.session.scalar(select(Call).limit(1))
    assert call is not None
    assert history.one(boss, call.id) is history.one(boss, call.linkedid)


def test_who_may_not_read_history_is_refused(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from pbxweb.security import roles

    monkeypatch.setitem(roles.PERMISSIONS, "calls.history", {})
    with pytest.raises(Forbidden):
        history.calls(Actor("x", Role.USER, "1"), Filter())
