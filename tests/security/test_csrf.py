"""No page changes anything for a form that another site sent."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.routing import IntegerConverter

from pbxweb.security.audit import AuditEntry
from pbxweb.storage.database import db
from tests.conftest import Person, csrf_token

NOBODY = "00000000-0000-4000-8000-000000000000"
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def _urls(app: Flask) -> list[tuple[str, str]]:
    """Every state-changing route of the pages as (method, a URL of it)."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            continue
        values = {
            name: 1 if isinstance(rule._converters[name], IntegerConverter) else NOBODY for name in rule.arguments
        }
        with app.test_request_context():
            url = app.url_map.bind("localhost").build(rule.endpoint, values, method=None)
        found += [(method, url) for method in (rule.methods or set()) & UNSAFE]
    return sorted(found)


def _state(app: Flask) -> dict[str, int]:
    with app.app_context():
        tables = db.metadata.sorted_tables
        rows = {t.name: db.session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}
        rows["newest audit"] = db.session.scalar(select(func.max(AuditEntry.id))) or 0
        return rows


def test_every_state_changing_page_refuses_a_missing_and_a_foreign_token(
    app: Flask, client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)
    csrf_token(client)
    other = app.test_client()
    with other.session_transaction() as visit:
        visit["csrf_token"] = "f" * 40
    foreign = csrf_token(other)
    before = _state(app)
    urls = _urls(app)
    assert len(urls) > 15
    for method, url in urls:
        for form in ({}, {"csrf_token": foreign}, {"csrf_token": "nonsense"}):
            answer = client.open(url, method=method, data=form)
            assert answer.status_code == 400, f"{method} {url}"
            assert b"This form has expired" in answer.data, f"{method} {url}"
        answer = client.open(url, method=method, headers={"HX-Request": "true", "X-CSRFToken": foreign})
        assert answer.status_code == 400, f"{method} {url} with htmx"
    assert _state(app) == before
    assert client.get("/profile").status_code == 200


def test_htmx_sends_the_token_in_a_header(client: FlaskClient, admin: Person, sign_in: Callable[..., None]) -> None:
    sign_in(client, admin)
    headers = {"X-CSRFToken": csrf_token(client), "HX-Request": "true"}
    assert client.post("/profile/sign-out", headers=headers).status_code == 204


def test_nothing_is_changed_by_a_mere_visit(
    app: Flask, client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)
    before = _state(app)
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/") and not rule.arguments:
            client.get(rule.rule)
    assert _state(app) == before
