"""What people and programs see when something cannot be done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.security.errors import Conflict, NotFound, TooMany, Unavailable
from pbxweb.security.guard import public
from pbxweb.settings import Settings
from tests.conftest import Person, make_app, send


@pytest.fixture
def app(settings: Settings) -> Flask:
    """The application with routes that fail."""
    app = make_app(settings)
    failures = {
        "crash": ZeroDivisionError("secret detail"),
        "busy": Unavailable("Asterisk does not answer."),
        "clash": Conflict("The number 201 is in use."),
        "gone": NotFound("There is no such phone."),
        "often": TooMany("Too often.", 7),
    }

    def fail(name: str) -> None:
        raise failures[name]

    app.testing = False
    app.add_url_rule("/fail/<name>", "web.fail", public(fail))
    app.add_url_rule("/api/v1/fail/<name>", "api_fail.fail", public(fail))
    return app


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("crash", 500, "Something went wrong here"),
        ("busy", 503, "Asterisk does not answer."),
        ("clash", 409, "The number 201 is in use."),
        ("gone", 404, "There is no such phone."),
        ("often", 429, "Too often."),
    ],
)
def test_a_person_reads_plain_words(client: FlaskClient, admin: Person, name: str, status: int, words: str) -> None:
    answer = client.get(f"/fail/{name}")
    assert answer.status_code == status
    assert words in answer.text
    assert "secret detail" not in answer.text
    assert answer.mimetype == "text/html"


def test_a_program_gets_a_problem_document(client: FlaskClient, admin: Person) -> None:
    answer = client.get("/api/v1/fail/clash")
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert client.get("/api/v1/fail/crash").json["status"] == 500  # type: ignore[index]
    assert client.get("/api/v1/nothing").mimetype == "application/problem+json"


def test_too_often_says_when_to_come_again(client: FlaskClient, admin: Person) -> None:
    assert client.get("/fail/often").headers["Retry-After"] == "7"


def test_htmx_gets_a_message_and_keeps_the_page(client: FlaskClient, admin: Person) -> None:
    answer = client.get("/fail/clash", headers={"HX-Request": "true"})
    assert answer.headers["HX-Reswap"] == "none"
    assert 'hx-swap-oob="beforeend"' in answer.text
    assert "The number 201 is in use." in answer.text


def test_an_unknown_page_says_so(client: FlaskClient, admin: Person) -> None:
    assert "This page does not exist" in client.get("/nothing").text
    assert client.post("/login", data={"email": "x"}).status_code == 400
    answer = send(client, "/system")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_the_question_before_a_loss_only_leads_to_own_pages(
    client: FlaskClient, admin: Person, sign_in: Callable[[FlaskClient, Person], None]
) -> None:
    sign_in(client, admin)
    fields = {"confirm_message": "Phone <201> goes.", "confirm_label": "Delete", "confirm_back": "//example.org"}
    page = send(client, "/confirm", fields | {"confirm_url": "/phones/delete", "id": "7"})
    assert "Phone &lt;201&gt; goes." in page.text
    assert 'action="/phones/delete"' in page.text
    assert '<input type="hidden" name="id" value="7">' in page.text
    assert "example.org" not in page.text
    assert send(client, "/confirm", fields | {"confirm_url": "https://example.org"}).status_code == 422
    assert client.post("/confirm", data=fields | {"confirm_url": "/x"}).status_code == 400
