"""``/api/v1/calls`` and ``/api/v1/stats``."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask

from tests.calls.conftest import add, made_call
from tests.conftest import ApiClient, Person

Api = Callable[..., ApiClient]


@pytest.fixture
def ended(app: Flask) -> Flask:
    """Sixty ended calls, the last a minute ago; every third was missed."""
    now = time.time()
    with app.app_context():
        add([
            made_call(now - 60 * index - 60, disposition="missed" if index % 3 == 0 else "answered",
                      caller=("201", "203")[index % 2])
            for index in range(60)
        ])  # fmt: skip
    return app


def test_history_is_paged_as_the_contract_says(ended: Flask, api: Api) -> None:
    answer = api("admin").get("/calls/history?page=2&limit=25")
    assert answer.status_code == 200
    assert answer.json is not None
    meta = answer.json["meta"]
    assert {k: meta[k] for k in ("page", "limit", "total", "totalPages")} == {
        "page": 2, "limit": 25, "total": 60, "totalPages": 3,
    }  # fmt: skip
    assert len(answer.json["data"]) == 25


def test_the_cursor_leads_to_the_end(ended: Flask, api: Api) -> None:
    boss, seen, cursor = api("supervisor"), [], ""
    while cursor is not None:
        answer = boss.get("/calls/history", query_string={"limit": 7, "cursor": cursor}).json
        assert answer is not None
        seen += [call["id"] for call in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
    assert len(seen) == len(set(seen)) == 60


def test_filters_of_the_api(ended: Flask, api: Api) -> None:
    boss = api("admin")
    for query, total in (
        ("disposition=missed", 20),
        ("extension=201", 30),
        ("extension=201&disposition=answered", 20),
        ("search=203", 30),
        ("direction=inbound", 0),
        ("from=2100-01-01T00:00:00Z", 0),
        ("to=2000-01-01T00:00:00Z", 0),
    ):
        answer = boss.get(f"/calls/history?{query}")
        assert answer.json is not None
        assert answer.json["meta"]["total"] == total, query


@pytest.mark.parametrize(
    "query", ["direction=up", "disposition=x", "limit=0", "limit=101", "page=0", "cursor=x", "from=yesterday"]
)
def test_a_wrong_query_is_named(ended: Flask, api: Api, query: str) -> None:
    answer = api("admin").get(f"/calls/history?{query}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


def test_one_call_has_its_legs(ended: Flask, api: Api) -> None:
    boss = api("admin")
    listed = boss.get("/calls/history?limit=1").json
    assert listed is not None
    answer = boss.get(f"/calls/{listed['data'][0]['id']}")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["state"] == "ended"
    assert [leg["number"] for leg in answer.json["legs"]] == ["201", "202"]


def test_an_unknown_call_is_not_found(ended: Flask, api: Api) -> None:
    boss = api("admin")
    for key in ("6f0c1f54-6d6f-5a0e-9d53-3a1f0a7f3f10", "nonsense"):
        assert boss.get(f"/calls/{key}").status_code == 404


def test_people_see_their_own_calls_only(
    ended: Flask, api: Api, person: Callable[..., Person], phone: Callable[..., str]
) -> None:
    owner, other = person("agent"), person("user")
    phone("203", user_id=owner.id)
    mine = api(of=owner).get("/calls/history").json
    assert mine is not None
    assert mine["meta"]["total"] == 30
    theirs = api(of=other).get("/calls/history").json
    assert theirs is not None
    assert theirs["meta"]["total"] == 0
    foreign = api("admin").get("/calls/history?extension=201&limit=1").json
    assert foreign is not None
    assert api(of=owner).get(f"/calls/{foreign['data'][0]['id']}").status_code == 404


@pytest.mark.parametrize("path", ["/calls/statistics", "/stats/calls"])
def test_statistics_under_both_names(ended: Flask, api: Api, path: str) -> None:
    answer = api("admin").get(path)
    assert answer.status_code == 200
    assert answer.json is not None
    assert sum(day["total"] for day in answer.json["days"]) == 60
    assert answer.json["month"]["total"] == answer.json["month"]["answered"] + answer.json["month"]["missed"]


def test_the_history_as_csv(ended: Flask, api: Api) -> None:
    answer = api("admin").get("/calls/history.csv?disposition=missed")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert len(answer.text.splitlines()) == 21


@pytest.mark.parametrize("path", ["/calls", "/calls/active"])
def test_without_asterisk_no_call_is_live(ended: Flask, api: Api, path: str) -> None:
    answer = api("user").get(path)
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["data"] == []


@pytest.mark.parametrize(
    "path", ["/calls", "/calls/history", "/calls/statistics", "/stats/calls", "/calls/history.csv"]
)
def test_it_requires_a_token(app: Flask, api: Api, path: str) -> None:
    assert api().get(path).status_code == 401


@pytest.mark.parametrize("path", ["/calls", "/calls/originate"])
def test_nobody_calls_from_a_phone_of_somebody_else(app: Flask, api: Api, phone: Callable[..., str], path: str) -> None:
    phone("201")
    for role in ("user", "agent", "supervisor"):
        assert api(role).post(path, {"from": "201", "to": "202"}).status_code == 403
        assert api(role).post(path, {"from": "299", "to": "202"}).status_code == 403


@pytest.mark.parametrize("target", ["", "abc", "1;2", "${X}", "+", "1" * 40, "12\n3", "٣٤"])
def test_only_what_a_phone_can_dial_is_dialled(app: Flask, api: Api, phone: Callable[..., str], target: str) -> None:
    phone("201")
    answer = api("admin").post("/calls/originate", {"from": "201", "to": target})
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "to"


def test_without_asterisk_a_call_is_refused_and_nothing_is_noted(
    app: Flask, api: Api, phone: Callable[..., str]
) -> None:
    phone("201")
    assert api("admin").post("/calls/originate", {"from": "201", "to": "+49 (30) 123-45"}).status_code == 503


def test_without_a_phone_of_ones_own_one_has_to_say_which(app: Flask, api: Api) -> None:
    answer = api("user").post("/calls/originate", {"to": "202"})
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "from"


@pytest.mark.parametrize("method", ["post", "put"])
def test_hanging_up_what_is_not_there_is_not_found(app: Flask, api: Api, method: str) -> None:
    answer = getattr(api("admin"), method)("/calls/6f0c1f54-6d6f-5a0e-9d53-3a1f0a7f3f10/hangup")
    assert answer.status_code == 404
