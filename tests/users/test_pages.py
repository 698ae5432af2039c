"""The pages about people and the own profile."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from pbxweb.security.audit import AuditEntry
from pbxweb.security.sessions import SignIn
from pbxweb.storage.database import db
from pbxweb.users.links import Phone, links
from pbxweb.users.models import User
from pbxweb.users.shown import client_name
from tests.conftest import PASSWORD, Person, counted_queries, send

NEW = "another-fine-staple-9"


@pytest.fixture
def office(client: FlaskClient, admin: Person, sign_in: Callable[..., None]) -> FlaskClient:
    """The administrator's browser."""
    sign_in(client, admin)
    return client


def _user(app: Flask, email: str) -> User:
    with app.app_context():
        user = db.session.scalar(select(User).where(User.email == email))
        assert user is not None
        db.session.expunge(user)
        return user


def _link(html: str) -> str:
    found = re.search(r"http://localhost(/invitation/[\w-]+)", html)
    assert found
    return found[1]


def test_the_list_shows_people_with_their_phones_in_a_constant_number_of_queries(
    app: Flask, office: FlaskClient, person: Callable[..., Person]
) -> None:
    someone = person("agent", first_name="Änne", last_name="Öztürk")
    links(app).phones = lambda ids: {someone.id: [Phone("x", "201")]} if someone.id in ids else {}
    office.get("/people")
    with counted_queries(app) as few:
        html = office.get("/people").get_data(as_text=True)
    assert "Änne Öztürk" in html
    assert "201" in html
    for _ in range(20):
        person("user")
    with counted_queries(app) as many:
        office.get("/people")
    assert len(many) == len(few) <= 4, many


def test_search_and_filters_narrow_the_list(office: FlaskClient, person: Callable[..., Person]) -> None:
    person("agent", email="anna@example.com", first_name="Anna", last_name="Schmidt")
    person("user", email="bert@example.com", first_name="Bert", last_name="Schmidt", status="suspended")

    def names(query: str) -> set[str]:
        html = office.get(f"/people?{query}").get_data(as_text=True)
        return {name for name in ("anna@example.com", "bert@example.com") if name in html}

    assert names("search=schmidt") == {"anna@example.com", "bert@example.com"}
    assert names("search=schmidt+anna") == {"anna@example.com"}
    assert names("role=agent") == {"anna@example.com"}
    assert names("status=suspended") == {"bert@example.com"}
    assert names("search=%25") == set()
    assert "Nobody matches this" in office.get("/people?search=nobody").get_data(as_text=True)


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=99999999999999999999", "role=king", "status=x"])
def test_a_strange_query_is_no_error(office: FlaskClient, query: str) -> None:
    assert office.get(f"/people?{query}").status_code == 200


def test_htmx_gets_the_list_alone(office: FlaskClient) -> None:
    part = office.get("/people", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert part.lstrip().startswith('<div id="people">')
    assert "<html" not in part


def test_an_invited_person_chooses_the_password_with_a_link_that_works_once(app: Flask, office: FlaskClient) -> None:
    data = {"email": "Tom@Example.com", "first_name": "Tom", "role": "agent", "invite": "link"}
    made = send(office, "/people/new", data)
    assert made.status_code == 200
    url = _link(made.get_data(as_text=True))
    tom = _user(app, "tom@example.com")
    assert (tom.status, tom.role, tom.password_hash) == ("invited", "agent", None)
    guest = app.test_client()
    assert b"Welcome, Tom" in guest.get(url).data
    weak = send(guest, url, {"password": "tom@example.com"})
    assert weak.status_code == 422
    entered = send(guest, url, {"password": NEW})
    assert (entered.status_code, entered.location) == (303, "/")
    assert guest.get("/profile").status_code == 200
    assert _user(app, "tom@example.com").status == "active"
    assert app.test_client().get(url).status_code == 404
    assert send(app.test_client(), url, {"password": NEW}).status_code == 404


def test_a_person_with_a_first_password_can_sign_in_at_once(app: Flask, office: FlaskClient) -> None:
    data = {"email": "uta@example.com", "role": "user", "invite": "password", "password": NEW}
    assert send(office, "/people/new", data).status_code == 303
    assert send(app.test_client(), "/login", {"email": "uta@example.com", "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"email": "no address"}, "This is not an e-mail address"),
        ({"email": ""}, "Please fill this in."),
        ({"email": "admin@example.com"}, "already here"),
        ({"role": "king"}, "Nothing was saved yet"),
        ({"timezone": "Mars/Base"}, "This is not a time zone"),
        ({"first_name": "A\x07B"}, "invisible control character"),
        ({"first_name": "x" * 101}, "Use at most 100 characters"),
        ({"invite": "password", "password": "short"}, "Use at least 10 characters."),
        ({"invite": "password", "password": "password1234"}, "easy to guess"),
        ({"invite": "password", "password": "new@example.com1"}, "contains the e-mail address"),
    ],
)
def test_a_bad_form_comes_back_with_what_was_typed_and_names_the_fault(
    office: FlaskClient, change: dict[str, str], words: str
) -> None:
    data = {"email": "new@example.com", "first_name": "Keepsake", "role": "user", "invite": "link", **change}
    answer = send(office, "/people/new", data)
    html = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert words in html
    if "first_name" not in change:
        assert 'value="Keepsake"' in html


def test_an_administrator_changes_somebody(app: Flask, office: FlaskClient, person: Callable[..., Person]) -> None:
    someone = person("user", language="de-DE")
    page = office.get(f"/people/{someone.id}")
    assert page.status_code == 200
    data = {"email": someone.email, "first_name": "Neu", "role": "agent", "status": "active", "language": "de"}
    assert send(office, f"/people/{someone.id}", data).status_code == 303
    changed = _user(app, someone.email)
    assert (changed.first_name, changed.role, changed.language) == ("Neu", "agent", "de-DE")


def test_suspending_signs_out_everywhere_at_once(
    app: Flask, office: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None], api: Callable
) -> None:
    someone = person("user")
    browser, program = app.test_client(), api(of=someone)
    sign_in(browser, someone)
    assert browser.get("/profile").status_code == 200
    assert program.get("/auth/me").status_code == 200
    data = {"email": someone.email, "role": "user", "status": "suspended"}
    assert send(office, f"/people/{someone.id}", data).status_code == 303
    assert browser.get("/profile").status_code == 302
    assert program.get("/auth/me").status_code == 401
    with app.app_context():
        assert db.session.scalar(select(SignIn).where(SignIn.user_id == someone.id)) is None


def test_a_deleted_person_is_gone_and_the_address_is_free_again(
    app: Flask, office: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None]
) -> None:
    someone = person("user", email="gone@example.com")
    browser = app.test_client()
    sign_in(browser, someone)
    told: list[str] = []
    links(app).on_delete.append(told.append)
    assert send(office, f"/people/{someone.id}/delete").status_code == 303
    assert told == [someone.id]
    assert browser.get("/profile").status_code == 302
    assert "gone@example.com" not in office.get("/people").get_data(as_text=True)
    assert office.get(f"/people/{someone.id}").status_code == 404
    data = {"email": "gone@example.com", "role": "user", "invite": "link"}
    assert send(office, "/people/new", data).status_code == 200
    with app.app_context():
        assert len(list(db.session.scalars(select(User).where(User.email == "gone@example.com")))) == 2


def test_the_house_is_never_left_without_an_administrator(app: Flask, office: FlaskClient, admin: Person) -> None:
    refused = send(office, f"/people/{admin.id}/delete")
    assert refused.status_code == 409
    assert b"You cannot delete yourself" in refused.data
    for data in ({"role": "user", "status": "active"}, {"role": "admin", "status": "inactive"}):
        answer = send(office, f"/people/{admin.id}", {"email": admin.email, **data})
        assert answer.status_code == 422
        assert b"your own role or status" in answer.data
    assert _user(app, admin.email).role == "admin"


def test_a_new_link_ends_the_old_password_and_all_sign_ins(
    app: Flask, office: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None]
) -> None:
    someone = person("user")
    browser = app.test_client()
    sign_in(browser, someone)
    html = send(office, f"/people/{someone.id}/link").get_data(as_text=True)
    assert browser.get("/profile").status_code == 302
    assert send(app.test_client(), "/login", {"email": someone.email, "password": PASSWORD}).status_code == 422
    assert send(app.test_client(), _link(html), {"password": NEW}).status_code == 303
    assert send(app.test_client(), "/login", {"email": someone.email, "password": NEW}).status_code == 303


def test_one_changes_ones_own_profile_but_not_ones_role(
    app: Flask, client: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None]
) -> None:
    someone = person("user")
    sign_in(client, someone)
    data = {
        "email": someone.email,
        "first_name": "Änne",
        "language": "de",
        "timezone": "Europe/Berlin",
        "role": "admin",
    }
    assert send(client, "/profile", data).status_code == 303
    changed = _user(app, someone.email)
    assert (changed.first_name, changed.language, changed.timezone) == ("Änne", "de", "Europe/Berlin")
    assert changed.role == "user"
    assert 'lang="de"' in client.get("/profile").get_data(as_text=True)


def test_the_language_chosen_on_any_page_is_kept_with_the_person(
    app: Flask, client: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None]
) -> None:
    someone = person("user")
    sign_in(client, someone)
    send(client, "/language", {"language": "de"})
    assert _user(app, someone.email).language == "de"


def test_changing_the_password_asks_for_the_old_one_and_signs_out_everything_else(
    app: Flask, client: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None], api: Callable
) -> None:
    someone = person("user")
    sign_in(client, someone)
    other, program = app.test_client(), api(of=someone)
    sign_in(other, someone)
    with client.session_transaction() as visit:
        before = visit["_user_id"]
    wrong = send(client, "/profile/password", {"current_password": "wrong", "new_password": NEW})
    assert wrong.status_code == 422
    assert b"This is not your current password." in wrong.data
    assert other.get("/profile").status_code == 200
    right = send(client, "/profile/password", {"current_password": PASSWORD, "new_password": NEW})
    assert right.status_code == 303
    with client.session_transaction() as visit:
        assert visit["_user_id"] != before
    assert client.get("/profile").status_code == 200
    assert other.get("/profile").status_code == 302
    assert program.get("/auth/me").status_code == 401
    copied = app.test_client()
    with copied.session_transaction() as visit:
        visit["_user_id"] = before
    assert copied.get("/profile").status_code == 302


def test_signing_out_everywhere_else_keeps_this_browser(
    app: Flask, client: FlaskClient, person: Callable[..., Person], sign_in: Callable[..., None]
) -> None:
    someone, stranger = person("user"), person("user")
    other, foreign = app.test_client(), app.test_client()
    sign_in(client, someone)
    sign_in(other, someone)
    sign_in(foreign, stranger)
    assert send(client, "/profile/sign-out").status_code == 303
    assert client.get("/profile").status_code == 200
    assert other.get("/profile").status_code == 302
    with app.app_context():
        theirs = db.session.scalar(select(SignIn.id).where(SignIn.user_id == stranger.id))
    assert send(client, f"/profile/sign-out/{theirs}").status_code == 404
    assert foreign.get("/profile").status_code == 200


def test_no_page_and_no_audit_row_shows_a_hash_or_a_link(
    app: Flask, office: FlaskClient, person: Callable[..., Person]
) -> None:
    someone = person("user")
    made = send(office, "/people/new", {"email": "tom@example.com", "role": "agent", "invite": "link"})
    secret = _link(made.get_data(as_text=True)).rsplit("/", 1)[1]
    send(office, f"/people/{someone.id}/link")
    tom = _user(app, "tom@example.com")
    for url in ("/people", f"/people/{tom.id}", f"/people/{someone.id}", "/profile", "/people/new"):
        html = office.get(url).get_data(as_text=True)
        assert secret not in html
        assert "$2b$" not in html
        assert str(tom.invitation_hash) not in html
    with app.app_context():
        rows = " ".join(f"{e.details} {e.subject}" for e in db.session.scalars(select(AuditEntry)))
    assert "user.invite" in rows or rows
    assert secret not in rows
    assert "$2b$" not in rows
    assert str(tom.invitation_hash) not in rows


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("python-requests/2.34", "python-requests/2.34"),
        ("", ""),
    ],
)
def test_a_browser_is_named_in_words(header: str, words: str) -> None:
    assert client_name(header) == words
