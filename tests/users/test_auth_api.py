"""``/api/v1/auth``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from sqlalchemy import select, update

from pbxweb.security.sessions import SignIn
from pbxweb.storage.database import db, utcnow
from pbxweb.users.models import User
from tests.conftest import PASSWORD, ApiClient, Person

Api = Callable[..., ApiClient]


def _login(api: Api, person: Person, password: str = PASSWORD) -> dict[str, Any]:
    answer = api().post("/auth/login", {"email": person.email, "password": password})
    assert answer.status_code == 200, answer.text
    return answer.json


def _me(api: Api, token: str) -> int:
    client = api()
    client.token = token
    return client.get("/auth/me").status_code


def test_login_answers_as_the_contract_says(api: Api, admin: Person) -> None:
    body = _login(api, admin)
    assert body["user"] == {
        "id": admin.id,
        "email": admin.email,
        "firstName": "Admin",
        "lastName": "1",
        "role": "admin",
    }
    assert set(body["tokens"]) == {"accessToken", "refreshToken", "expiresIn"}
    assert body["tokens"]["expiresIn"] == 900
    claims = jwt.decode(body["tokens"]["accessToken"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 900
    claims = jwt.decode(body["tokens"]["refreshToken"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7 * 86400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "admin@example.com", "password": "wrong"}, 401),
        ({"email": "nobody@example.com", "password": PASSWORD}, 401),
        ({"email": "admin@example.com"}, 400),
        ({"email": 1, "password": []}, 400),
        ({"email": "a\udc80", "password": "x"}, 400),
        ({"email": "admin@example.com", "password": "\udc80"}, 401),
        ([], 400),
        ({}, 400),
        ({"email": "admin@example.com", "password": PASSWORD, "more": 1}, 400),
    ],
)
def test_a_bad_login_is_a_problem_document(api: Api, admin: Person, body: Any, status: int) -> None:
    answer = api().post("/auth/login", body)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["instance"] == "/api/v1/auth/login"


def test_a_suspended_account_is_told_so_only_with_the_right_password(api: Api, person: Callable[..., Person]) -> None:
    someone = person("user", status="suspended")
    assert api().post("/auth/login", {"email": someone.email, "password": PASSWORD}).status_code == 403
    assert api().post("/auth/login", {"email": someone.email, "password": "wrong"}).status_code == 401


def test_refresh_gives_a_new_pair_and_uses_up_the_old_token(app: Flask, api: Api, admin: Person) -> None:
    first = _login(api, admin)["tokens"]
    second = api().post("/auth/refresh", {"refreshToken": first["refreshToken"]})
    assert second.status_code == 200
    assert set(second.json) == {"accessToken", "refreshToken", "expiresIn"}
    assert second.json["refreshToken"] != first["refreshToken"]
    assert _me(api, second.json["accessToken"]) == 200
    with app.app_context():
        assert len(list(db.session.scalars(select(SignIn)))) == 1


def test_a_refresh_token_that_is_used_twice_ends_the_whole_sign_in(api: Api, admin: Person) -> None:
    first = _login(api, admin)["tokens"]
    other = _login(api, admin)["tokens"]
    second = api().post("/auth/refresh", {"refreshToken": first["refreshToken"]}).json
    stolen = api().post("/auth/refresh", {"refreshToken": first["refreshToken"]})
    assert stolen.status_code == 401
    assert api().post("/auth/refresh", {"refreshToken": second["refreshToken"]}).status_code == 401
    assert _me(api, second["accessToken"]) == 401
    assert _me(api, other["accessToken"]) == 200


def test_logout_ends_the_access_and_the_refresh_token(api: Api, admin: Person) -> None:
    tokens = _login(api, admin)["tokens"]
    client = api()
    client.token = tokens["accessToken"]
    assert client.post("/auth/logout").status_code == 204
    assert client.get("/auth/me").status_code == 401
    assert api().post("/auth/refresh", {"refreshToken": tokens["refreshToken"]}).status_code == 401


def test_an_access_token_dies_with_its_time(app: Flask, api: Api, admin: Person) -> None:
    from pbxweb.security import tokens

    client = api(of=admin)
    with app.app_context():
        key = tokens._key()
    claims = jwt.decode(client.token, options={"verify_signature": False})
    late = {**claims, "exp": utcnow() - timedelta(seconds=1)}
    assert _me(api, jwt.encode(late, key, "HS256")) == 401
    assert _me(api, jwt.encode(claims, key, "HS256")) == 200


@pytest.mark.parametrize("change", [{"status": "suspended"}, {"status": "inactive"}, {"deleted_at": utcnow()}])
def test_the_tokens_of_a_switched_off_or_deleted_person_die_at_once(
    app: Flask, api: Api, admin: Person, change: dict[str, Any]
) -> None:
    tokens = _login(api, admin)["tokens"]
    with app.app_context():
        db.session.execute(update(User).values(change))
        db.session.commit()
    assert _me(api, tokens["accessToken"]) == 401
    assert api().post("/auth/refresh", {"refreshToken": tokens["refreshToken"]}).status_code == 401


def test_a_changed_role_counts_at_once(app: Flask, api: Api, admin: Person) -> None:
    client = api(of=admin)
    assert client.get("/users").status_code == 200
    with app.app_context():
        db.session.execute(update(User).values(role="user"))
        db.session.commit()
    assert client.get("/users").status_code == 403


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x.y.z", "Basic YTpi", "Bearer \xff", "bearer eyJhbGciOiJub25lIn0.e30."]
)
def test_a_bad_header_is_a_401_that_says_how(api: Api, admin: Person, header: str) -> None:
    answer = api().get("/auth/me", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["title"] == "Unauthorized"


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(api: Api, admin: Person) -> None:
    tokens = _login(api, admin)["tokens"]
    assert _me(api, tokens["refreshToken"]) == 401
    assert api().post("/auth/refresh", {"refreshToken": tokens["accessToken"]}).status_code == 401


def test_a_token_without_our_signature_is_worth_nothing(api: Api, admin: Person) -> None:
    token = _login(api, admin)["tokens"]["accessToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert _me(api, jwt.encode(claims, "x" * 32, "HS256")) == 401
    assert _me(api, jwt.encode(claims, None, "none")) == 401


def test_the_api_never_looks_at_a_cookie(client: Any, admin: Person, sign_in: Callable[..., None]) -> None:
    sign_in(client, admin)
    assert client.get("/profile").status_code == 200
    assert client.get("/api/v1/auth/me").status_code == 401


def test_profile_and_me_show_everything_about_oneself(api: Api) -> None:
    client = api("agent")
    profile = client.get("/auth/profile")
    assert profile.json == client.get("/auth/me").json
    assert profile.json["id"] == client.person.id
    assert {"language", "timezone", "timeProfile", "extensions", "createdAt", "updatedAt"} <= set(profile.json)
    assert profile.json["createdAt"].endswith("Z")


def test_the_password_is_changed_with_the_old_one_and_other_tokens_die(api: Api, person: Callable[..., Person]) -> None:
    someone = person("user")
    one, other = api(of=someone), api(of=someone)
    wrong = one.post("/auth/password", {"currentPassword": "wrong", "newPassword": "another-fine-staple-9"})
    assert wrong.status_code == 400
    assert wrong.json["errors"][0]["field"] == "currentPassword"
    weak = one.post("/auth/password", {"currentPassword": PASSWORD, "newPassword": "1234567890"})
    assert weak.json["errors"][0]["field"] == "newPassword"
    right = one.post("/auth/password", {"currentPassword": PASSWORD, "newPassword": "another-fine-staple-9"})
    assert right.status_code == 204
    assert one.get("/auth/me").status_code == 200
    assert other.get("/auth/me").status_code == 401
    _login(api, someone, "another-fine-staple-9")
