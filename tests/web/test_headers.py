"""What every answer carries."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.settings import Settings
from tests.conftest import Person, make_app


def test_a_page_lets_nothing_foreign_or_inline_in(client: FlaskClient, admin: Person) -> None:
    answer = client.get("/login")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "geolocation=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status", "vary"),
    [
        ("/static/css/app.css", 200, {"Accept-Encoding"}),
        ("/api/v1/system/status", 200, set()),
        ("/api/v1/calls", 401, set()),
        ("/login", 200, {"HX-Request", "Cookie"}),
    ],
)
def test_an_answer_says_what_it_varies_with_and_when_to_come_back_only_if_it_was_too_early(
    client: FlaskClient, admin: Person, path: str, status: int, vary: set[str]
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert set(answer.vary) == vary
    assert "Retry-After" not in answer.headers


def test_https_is_asked_for_where_it_is_used(settings: Settings) -> None:
    app = make_app(replace(settings, https=True))
    assert "max-age=" in app.test_client().get("/login").headers["Strict-Transport-Security"]


def test_a_strange_host_header_does_not_get_into_the_policy(client: FlaskClient, admin: Person) -> None:
    answer = client.get("/login", headers={"Host": "evil;script-src*"})
    assert "evil" not in answer.headers.get("Content-Security-Policy", "")


def test_pages_come_packed_and_never_of_the_same_length(client: FlaskClient, admin: Person) -> None:
    plain = client.get("/login").data
    answers = [client.get("/login", headers={"Accept-Encoding": "gzip"}) for _ in range(12)]
    assert all(answer.headers["Content-Encoding"] == "gzip" for answer in answers)
    assert all("Accept-Encoding" in answer.headers["Vary"] for answer in answers)
    assert len({len(answer.data) for answer in answers}) > 3
    assert len(gzip.decompress(answers[0].data)) == len(plain)
    assert len(answers[0].data) < len(plain) / 2


def test_small_answers_stay_as_they_are(client: FlaskClient) -> None:
    answer = client.get("/api/v1/system/status", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_the_address_behind_a_trusted_proxy_is_the_visitors(settings: Settings) -> None:
    app = make_app(replace(settings, trusted_proxies=1))
    seen: list[str] = []
    app.before_request_funcs[None].insert(0, lambda: seen.append(_address()))
    app.test_client().get("/login", headers={"X-Forwarded-For": "198.51.100.7"})
    assert seen == ["198.51.100.7"]


def test_without_one_nobody_can_say_who_they_are(app: Flask, client: FlaskClient) -> None:
    seen: list[str] = []
    app.before_request_funcs[None].insert(0, lambda: seen.append(_address()))
    client.get("/login", headers={"X-Forwarded-For": "198.51.100.7"})
    assert seen == ["127.0.0.1"]


def _address() -> str:
    from flask import request

    return request.remote_addr or ""


def test_the_theme_and_the_language_are_kept(
    client: FlaskClient, admin: Person, sign_in: Callable[[FlaskClient, Person], None]
) -> None:
    from tests.conftest import send

    answer = send(client, "/theme", {"theme": "dark", "next": "/login"})
    assert answer.headers["Location"] == "/login"
    assert 'data-bs-theme="dark"' in client.get("/login").text
    send(client, "/theme", {"theme": "pink"})
    assert 'data-bs-theme="auto"' in client.get("/login").text
    send(client, "/language", {"language": "de"})
    assert '<html lang="de"' in client.get("/login").text
    sign_in(client, admin)
    send(client, "/language", {"language": "en"})
    assert '<html lang="en"' in client.get("/profile").text


def test_the_way_back_never_leads_elsewhere(client: FlaskClient) -> None:
    from tests.conftest import send

    for target in ("https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)", "/\r\nX: y", ""):
        assert send(client, "/theme", {"theme": "dark", "next": target}).headers["Location"] == "/"
