"""Signing in and out on the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from pbxweb.security import sessions
from pbxweb.security.audit import AuditEntry
from pbxweb.security.sessions import SignIn
from pbxweb.storage.database import db, utcnow
from tests.conftest import PASSWORD, Person, csrf_token, send


def _enter(client: FlaskClient, email: str, password: str = PASSWORD, **more: str):
    return send(client, "/login", {"email": email, "password": password, **more})


def _secret(client: FlaskClient) -> str | None:
    with client.session_transaction() as visit:
        return visit.get("_user_id")


def test_a_page_asks_to_sign_in_and_then_goes_where_one_wanted_to(client: FlaskClient, admin: Person) -> None:
    asked = client.get("/people?role=agent")
    assert asked.status_code == 302
    assert asked.location == "/login?next=/people?role%3Dagent"
    form = client.get(asked.location)
    assert b'name="next"' in form.data
    entered = _enter(client, admin.email, next="/people?role=agent")
    assert (entered.status_code, entered.location) == (303, "/people?role=agent")
    assert client.get("/people").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", ""])
def test_it_never_leads_to_a_foreign_site(client: FlaskClient, admin: Person, target: str) -> None:
    assert _enter(client, admin.email, next=target).location == "/"


def test_the_address_is_compared_without_regard_to_case_and_blanks(client: FlaskClient, admin: Person) -> None:
    assert _enter(client, "  ADMIN@Example.COM ").status_code == 303


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: FlaskClient, admin: Person) -> None:
    wrong, unknown = _enter(client, admin.email, "wrong-password-1"), _enter(client, "nobody@example.com")
    assert wrong.status_code == unknown.status_code == 422
    assert b"The e-mail address or the password is wrong." in wrong.data
    assert b"The e-mail address or the password is wrong." in unknown.data
    assert b"wrong-password-1" not in wrong.data
    assert _secret(client) is None


@pytest.mark.parametrize("status", ["inactive", "suspended"])
def test_a_switched_off_account_does_not_get_in(
    client: FlaskClient, person: Callable[..., Person], status: str
) -> None:
    someone = person("user", status=status)
    answer = _enter(client, someone.email)
    assert answer.status_code == 403
    assert b"switched off" in answer.data
    assert client.get("/profile").status_code == 302


def test_the_cookie_is_right(client: FlaskClient, admin: Person) -> None:
    cookies = _enter(client, admin.email).headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie


def test_with_https_the_cookie_is_secure_and_bound_to_the_host(client: FlaskClient, admin: Person) -> None:
    client.get("/login", base_url="https://pbx.example")
    page = client.get("/login", base_url="https://pbx.example").get_data(as_text=True)
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    data = {"email": admin.email, "password": PASSWORD, "csrf_token": token}
    entered = client.post("/login", data=data, base_url="https://pbx.example")
    assert entered.status_code == 303
    for cookie in entered.headers.getlist("Set-Cookie"):
        assert cookie.startswith("__Host-")
        assert "; Secure" in cookie
        assert "Domain" not in cookie


def test_the_session_id_changes_at_sign_in_and_dies_with_sign_out(
    app: Flask, client: FlaskClient, admin: Person
) -> None:
    client.get("/login")
    _enter(client, admin.email)
    first = _secret(client)
    stolen = app.test_client()
    with stolen.session_transaction() as visit:
        visit["_user_id"] = first
    assert stolen.get("/profile").status_code == 200
    assert send(client, "/logout").status_code == 303
    assert stolen.get("/profile").status_code == 302
    _enter(client, admin.email)
    assert _secret(client) not in (None, first)


def test_signing_in_again_does_not_keep_what_a_stranger_put_into_the_cookie(client: FlaskClient, admin: Person) -> None:
    with client.session_transaction() as visit:
        visit["planted"] = "x"
    _enter(client, admin.email)
    with client.session_transaction() as visit:
        assert "planted" not in visit


def test_it_ends_after_the_idle_time(
    app: Flask, client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)
    with app.app_context():
        db.session.execute(update(SignIn).values(last_seen_at=utcnow() - timedelta(minutes=61)))
        db.session.commit()
    assert client.get("/profile").status_code == 302


def test_it_ends_after_the_absolute_time(
    app: Flask, client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)
    with app.app_context():
        db.session.execute(update(SignIn).values(expires_at=utcnow() - timedelta(seconds=1)))
        db.session.commit()
    assert client.get("/profile").status_code == 302


def test_being_there_is_noted_once_a_minute_and_never_waits_for_a_writer(
    app: Flask, client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)

    def seen() -> str:
        with app.app_context():
            return str(db.session.scalar(select(SignIn.last_seen_at)))

    at_first = seen()
    client.get("/profile")
    assert seen() == at_first
    with app.app_context():
        db.session.execute(update(SignIn).values(last_seen_at=utcnow() - timedelta(minutes=5)))
        db.session.commit()
    long_ago = seen()
    with app.app_context(), db.engine.connect().execution_options(pbxweb_write=True) as writer:
        writer.exec_driver_sql("UPDATE users SET first_name = 'x'")
        assert client.get("/profile").status_code == 200
        writer.rollback()
    assert seen() == long_ago
    client.get("/profile")
    assert seen() > long_ago


def test_the_database_holds_only_a_hash_of_the_cookie(app: Flask, client: FlaskClient, admin: Person) -> None:
    _enter(client, admin.email)
    secret = _secret(client)
    assert secret
    with app.app_context():
        stored = db.session.scalars(select(SignIn.secret_hash)).all()
    assert stored == [sessions.digest(secret)]


def test_signing_in_is_in_the_audit_trail_without_the_password(app: Flask, client: FlaskClient, admin: Person) -> None:
    _enter(client, admin.email, "wrong-password-1")
    _enter(client, admin.email)
    send(client, "/logout")
    with app.app_context():
        entries = list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert [e.action for e in entries] == ["session.refused", "session.begin", "session.end"]
    assert [e.address for e in entries] == ["127.0.0.1"] * 3
    everything = " ".join(f"{e.subject} {e.details} {e.actor_name}" for e in entries)
    assert PASSWORD not in everything
    assert "wrong-password-1" not in everything


def test_an_old_hash_is_renewed_at_sign_in(app: Flask, client: FlaskClient, admin: Person) -> None:
    from pbxweb.security import passwords
    from pbxweb.users.models import User

    passwords.COST = 5  # the fixture puts it back
    _enter(client, admin.email)
    with app.app_context():
        stored = db.session.get_one(User, admin.id).password_hash
    assert stored and stored.startswith("$2b$05$")
    assert _enter(app.test_client(), admin.email).status_code == 303


def test_a_form_without_the_right_token_changes_nothing(client: FlaskClient, admin: Person) -> None:
    missing = client.post("/login", data={"email": admin.email, "password": PASSWORD})
    assert missing.status_code == 400
    assert b"This form has expired" in missing.data
    other = csrf_token(client.application.test_client())
    client.get("/login")
    foreign = client.post("/login", data={"email": admin.email, "password": PASSWORD, "csrf_token": other})
    assert foreign.status_code == 400
    assert _secret(client) is None


def test_signed_in_people_do_not_see_the_sign_in_page(
    client: FlaskClient, admin: Person, sign_in: Callable[..., None]
) -> None:
    sign_in(client, admin)
    assert client.get("/login?next=/people").location == "/people"
