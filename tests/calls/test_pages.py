"""The pages about calls."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.calls.intake import ingest
from tests.calls.conftest import add, made_call
from tests.calls.recorded import CelFile, all_rows
from tests.conftest import Person, counted_queries, send

SignIn = Callable[[FlaskClient, Person], None]
PAGES = ("/calls", "/calls/history", "/calls/statistics")


@pytest.fixture
def visitor(client: FlaskClient, admin: Person, sign_in: SignIn) -> FlaskClient:
    """A browser with the administrator signed in."""
    sign_in(client, admin)
    return client


@pytest.mark.parametrize("path", [*PAGES, "/calls/history.csv"])
def test_it_requires_login(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_is_there_while_there_are_no_calls(visitor: FlaskClient, path: str, language: str) -> None:
    visitor.set_cookie("language", language)
    assert visitor.get(path).status_code == 200


def test_the_history_shows_what_happened_to_real_calls(app: Flask, visitor: FlaskClient, cel: CelFile) -> None:
    cel.write(all_rows())
    with app.app_context():
        ingest(cel.path)
    soup = BeautifulSoup(visitor.get("/calls/history").text, "html.parser")
    assert len(soup.select(".call-row")) == 11
    text = soup.get_text(" ", strip=True)
    assert "102 transferred the call to 103" in text
    assert "103 picked up the call that rang at 102" in text
    assert "103 fetched the parked call of 101" in text


def test_older_and_newer_lead_through_the_list(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(1_780_000_000 + 60 * index, called=str(300 + index)) for index in range(120)])
    seen: list[str] = []
    path: str | None = "/calls/history"
    while path:
        soup = BeautifulSoup(visitor.get(path).text, "html.parser")
        seen += [row.get_text(" ", strip=True) for row in soup.select(".call-to")]
        link = soup.select_one("a[rel=next]")
        path = str(link["href"]) if link else None
    assert len(seen) == len(set(seen)) == 120


def test_a_filter_is_kept_in_the_links_and_the_csv(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(1_780_000_000 + 60 * index, disposition="missed") for index in range(60)])
    soup = BeautifulSoup(visitor.get("/calls/history?disposition=missed&since=2026-01-01").text, "html.parser")
    links = [str(a["href"]) for a in soup.select("a[rel=next], a[download]")]
    assert len(links) == 2
    assert all("disposition=missed" in link and "since=2026-01-01" in link for link in links)


def test_days_are_whole_days(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(1_780_000_000)])
    assert "call-row" in visitor.get("/calls/history?since=2026-05-28&until=2026-05-28").text
    assert "call-row" not in visitor.get("/calls/history?since=2026-05-30").text


@pytest.mark.parametrize("query", ["since=tomorrow", "direction=up", "extension=123456789", "search=" + "x" * 99])
def test_a_wrong_filter_is_marked_and_the_page_is_there(visitor: FlaskClient, query: str) -> None:
    answer = visitor.get(f"/calls/history?{query}")
    assert answer.status_code == 200
    assert "invalid-feedback" in answer.text


def test_a_name_is_text_and_never_markup(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(time.time() - 60, caller="0301", direction="inbound", name="<script>alert(1)</script>")])
    page = visitor.get("/calls/history").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_htmx_gets_the_list_alone(visitor: FlaskClient) -> None:
    assert "<html" not in visitor.get("/calls/history", headers={"HX-Request": "true"}).text
    assert visitor.get("/calls", headers={"HX-Request": "true"}).text.lstrip().startswith('<div id="live-calls"')


def test_the_number_of_queries_does_not_grow_with_the_list(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(1_780_000_000)])
    visitor.get("/calls/history")
    with counted_queries(app) as few:
        visitor.get("/calls/history")
    with app.app_context():
        add([made_call(1_780_000_100 + index) for index in range(45)])
    with counted_queries(app) as many:
        visitor.get("/calls/history")
    assert len(many) == len(few)


def test_dialling_from_the_page_says_why_it_cannot(visitor: FlaskClient, phone: Callable[..., str]) -> None:
    phone("201")
    answer = send(visitor, "/calls/originate", {"dial-source": "201", "dial-target": "abc"})
    assert answer.status_code == 422
    assert "Enter a number" in answer.text


def test_dialling_needs_the_pages_own_token(visitor: FlaskClient, phone: Callable[..., str]) -> None:
    phone("201")
    assert visitor.post("/calls/originate", data={"dial-source": "201", "dial-target": "202"}).status_code == 400


def test_the_statistics_draw_thirty_bars_without_script_or_style(app: Flask, visitor: FlaskClient) -> None:
    with app.app_context():
        add([made_call(time.time() - 60)])
    soup = BeautifulSoup(visitor.get("/calls/statistics").text, "html.parser")
    assert len(soup.select("svg.chart g")) == 30
    assert not soup.select("[style]")
    assert visitor.get("/calls/statistics?extension=202").status_code == 200
