"""Rate limits: what counts together, and what an answer says about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask

from pbxweb.security.limits import Counters
from pbxweb.settings import Settings
from pbxweb.storage.database import db
from tests.conftest import PASSWORD, ApiClient, Person, make_app, send

Api = Callable[..., ApiClient]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The rates as they are by default, the API's a little lower."""
    return replace(settings, rate_login="5/minute", rate_api="8/minute", rate_calls="3/minute")


def test_an_answer_says_how_much_is_left(api: Api) -> None:
    client = api("user")
    first = client.get("/auth/me")
    assert first.headers["X-RateLimit-Limit"] == "8"
    assert first.headers["X-RateLimit-Remaining"] == "7"
    assert 0 <= int(first.headers["X-RateLimit-Reset"]) - time.time() <= 61
    assert "Retry-After" not in first.headers
    assert client.get("/auth/me").headers["X-RateLimit-Remaining"] == "6"


def test_beyond_the_limit_the_answer_says_when_to_come_back(api: Api) -> None:
    client = api("user")
    answers = [client.get("/auth/me") for _ in range(9)]
    assert [a.status_code for a in answers] == [200] * 8 + [429]
    last = answers[-1]
    assert last.content_type == "application/problem+json"
    assert last.json["title"] == "Rate Limit Exceeded"
    assert last.json["type"] == "/errors/rate-limit"
    assert 1 <= last.json["retryAfter"] <= 60
    assert 0 <= int(last.headers["Retry-After"]) <= 60
    assert last.headers["X-RateLimit-Remaining"] == "0"


def test_each_user_has_a_limit_of_ones_own_wherever_the_requests_come_from(api: Api) -> None:
    one, other = api("user"), api("user")
    for _ in range(9):
        one.get("/auth/me")
    assert one.get("/auth/me", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 429
    assert api(of=one.person).get("/auth/me").status_code == 429
    assert other.get("/auth/me").status_code == 200


def test_requests_that_nobody_signed_count_for_their_address(api: Api) -> None:
    for _ in range(9):
        last = api().get("/auth/me")
    assert last.status_code == 429
    assert api().get("/auth/me", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 401


def test_pages_and_api_share_the_limit_of_signing_in(app: Flask, api: Api, admin: Person) -> None:
    client = app.test_client()
    wrong = {"email": admin.email, "password": "wrong-password"}
    assert [send(client, "/login", wrong).status_code for _ in range(3)] == [422] * 3
    assert [api().post("/auth/login", wrong).status_code for _ in range(3)] == [401, 401, 429]
    refused = send(client, "/login", {"email": admin.email, "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "Please try again in" in refused.text
    assert f'value="{admin.email}"' in refused.text
    assert 'name="password"' in refused.text
    assert PASSWORD not in refused.text
    assert client.get("/login").status_code == 200


def test_another_address_does_not_notice(app: Flask, api: Api, admin: Person) -> None:
    for _ in range(9):
        api().post("/auth/login", {"email": admin.email, "password": "wrong-password"})
    right = {"email": admin.email, "password": PASSWORD}
    assert api().post("/auth/login", right, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200


def test_a_whole_ipv6_network_counts_as_one_address(api: Api, admin: Person) -> None:
    wrong = {"email": admin.email, "password": "wrong-password"}
    where = [{"REMOTE_ADDR": f"2001:db8:1:1::{n}"} for n in range(1, 7)]
    statuses = [api().post("/auth/login", wrong, environ_base=w).status_code for w in where]
    assert statuses == [401] * 5 + [429]
    assert api().post("/auth/login", wrong, environ_base={"REMOTE_ADDR": "2001:db8:1:2::1"}).status_code == 401
    mapped = api().post("/auth/login", wrong, environ_base={"REMOTE_ADDR": "::ffff:192.0.2.9"})
    assert mapped.headers["X-RateLimit-Remaining"] == "4"
    plain = api().post("/auth/login", wrong, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert plain.headers["X-RateLimit-Remaining"] == "3"


def test_pages_are_not_counted_but_asking_for_the_password_is(
    app: Flask, admin: Person, sign_in: Callable[..., None]
) -> None:
    client = app.test_client()
    sign_in(client, admin)
    assert {client.get("/profile").status_code for _ in range(20)} == {200}
    data = {"current_password": "wrong", "new_password": "another-fine-staple-9"}
    assert [send(client, "/profile/password", data).status_code for _ in range(6)] == [422] * 5 + [429]


def test_a_stranger_cannot_choose_the_address_that_counts(api: Api, admin: Person) -> None:
    wrong = {"email": admin.email, "password": "wrong-password"}
    headers = [{"X-Forwarded-For": f"192.0.2.{n}"} for n in range(6)]
    assert [api().post("/auth/login", wrong, headers=h).status_code for h in headers][-1] == 429


@pytest.fixture
def behind_a_proxy(settings: Settings) -> Iterator[Flask]:
    """The application behind one proxy."""
    app = make_app(replace(settings, trusted_proxies=1))
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_trusted_proxy_tells_the_address(behind_a_proxy: Flask) -> None:
    client = behind_a_proxy.test_client()
    body = {"email": "a@example.com", "password": "wrong-password"}

    def status(address: str) -> int:
        return client.post("/api/v1/auth/login", json=body, headers={"X-Forwarded-For": address}).status_code

    assert [status("192.0.2.1") for _ in range(6)][-1] == 429
    assert status("192.0.2.2") == 401


def test_making_the_application_starts_no_thread(settings: Settings) -> None:
    import threading

    before = threading.active_count()
    app = make_app(settings)
    app.test_client().get("/api/v1/auth/me")
    assert threading.active_count() == before
    with app.app_context():
        db.engine.dispose()


def test_counters_are_forgotten_when_their_window_is_over() -> None:
    counters = Counters()
    for number in range(3000):
        counters.incr(str(number), 0)
    assert len(counters._counts) < 2000
    assert counters.incr("x", 60) == 1
    assert counters.incr("x", 60) == 2
    assert counters.get("x") == 2
    counters.clear("x")
    assert counters.get("x") == 0
    assert counters.reset() is not None
    assert counters.check()
