"""What is wrong is always a problem document, whatever the request looks like."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.conftest import ApiClient, Person

Api = Callable[..., ApiClient]
LOGIN = "/api/v1/auth/login"


@pytest.fixture(autouse=True)
def _set_up(admin: Person) -> None:
    """The first run is over."""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/v2/users", 404),
        ("POST", "/api/v1/auth/me", 405),
        ("TRACE", "/api/v1/users", 405),
        ("DELETE", "/api/v1/auth/login", 405),
        ("HEAD", "/api/v1/users", 401),
        ("GET", "/api/v1/users", 401),
    ],
)
def test_an_answer_below_api_is_never_a_page(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    if method != "HEAD":
        assert answer.json["status"] == status
        assert answer.json["instance"] == path
    if status == 405:
        assert answer.headers["Allow"]


def test_options_names_the_methods(client: FlaskClient) -> None:
    answer = client.options("/api/v1/users")
    assert answer.status_code == 200
    assert {"GET", "POST"} <= {m.strip() for m in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"email": ' + b"9" * 10_000 + b"}", "application/json", 400),
        (b'{"email": NaN}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"null", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"\\ud800": "\\udfff"}', "application/json", 400),
        (b"email=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json; charset=latin-1", 400),
        (b'{"email": "' + b"x" * 1_100_000 + b'"}', "application/json", 413),
    ],
)
def test_a_strange_body_is_refused_with_a_reason(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    answer = client.post(LOGIN, data=body, content_type=kind)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.json["detail"]


@pytest.mark.parametrize(
    "query", ["page=0", "limit=0", "limit=1e9", "page=9999999999999999999999", "search=%00", "page=%ff"]
)
def test_a_strange_query_is_named(api: Api, query: str) -> None:
    answer = api("admin").get(f"/users?{query}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] in ("page", "limit", "search")


def test_the_permission_is_asked_before_the_input_is_read(api: Api) -> None:
    assert api("user").post("/users", {"nonsense": True}).status_code == 403
    assert api().post("/users", {"nonsense": True}).status_code == 401


def test_an_unexpected_error_is_a_problem_too_and_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pbxweb.users import service

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(service, "list_users", broken)
    client = api("admin")
    answer = client.get("/users")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "secret" not in answer.text
    assert "a secret detail" in caplog.text
