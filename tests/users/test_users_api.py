"""``/api/v1/users``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from pbxweb.users.links import Phone, links
from tests.conftest import PASSWORD, ApiClient, Person

Api = Callable[..., ApiClient]
TOM = {
    "email": "tom@example.com",
    "password": "InitialPassword123!",
    "firstName": "Tom",
    "lastName": "Müller",
    "role": "agent",
    "language": "de-DE",
    "timezone": "Europe/Berlin",
}


def test_a_list_has_the_shape_of_the_contract(app: Flask, api: Api, person: Callable[..., Person]) -> None:
    anna = person("agent", email="anna@example.com", first_name="Anna", last_name="0")
    links(app).phones = lambda ids: {anna.id: [Phone("5c7a4b1e-0000-4000-8000-000000000001", "200")]}
    client = api("supervisor")
    body = client.get("/users?limit=1").json
    assert body["meta"] == {"page": 1, "limit": 1, "total": 2, "totalPages": 2}
    (first,) = body["data"]
    assert first["email"] == "anna@example.com"
    assert first["extensions"] == [{"id": "5c7a4b1e-0000-4000-8000-000000000001", "number": "200"}]
    assert set(first) == {
        "id", "email", "firstName", "lastName", "role", "status", "extensions", "createdAt", "lastLoginAt",
    }  # fmt: skip
    assert client.get("/users?page=2&limit=1").json["data"][0]["id"] == client.person.id
    assert [u["email"] for u in client.get("/users?role=agent").json["data"]] == ["anna@example.com"]
    assert [u["email"] for u in client.get("/users?search=anna").json["data"]] == ["anna@example.com"]
    assert client.get("/users?status=suspended").json["data"] == []
    assert client.get("/users?role=king").status_code == 400
    assert client.get("/users?limit=101").status_code == 400


def test_a_person_with_a_password_can_sign_in(api: Api) -> None:
    made = api("admin").post("/users", TOM)
    assert made.status_code == 201, made.text
    assert made.json["status"] == "active"
    assert made.json["language"] == "de-DE"
    assert "password" not in made.text.lower()
    assert "invitation" not in made.json
    assert api().post("/auth/login", {"email": "TOM@example.com", "password": TOM["password"]}).status_code == 200


def test_a_person_without_a_password_gets_a_link(api: Api) -> None:
    client = api("admin")
    made = client.post("/users", {k: v for k, v in TOM.items() if k != "password"})
    assert made.status_code == 201
    assert made.json["status"] == "invited"
    assert "/invitation/" in made.json["invitation"]["url"]
    shown = client.get(f"/users/{made.json['id']}")
    assert "invitation" not in shown.json
    again = client.post(f"/users/{made.json['id']}/invitation")
    assert again.status_code == 201
    assert again.json["url"] != made.json["invitation"]["url"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "a@b\n.example"}, "email"),
        ({"email": None}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "tom@example.com"}, "password"),
        ({"firstName": "x" * 101}, "firstName"),
        ({"firstName": "a\x00b"}, "firstName"),
        ({"firstName": "a\udc80b"}, "firstName"),
        ({"lastName": "a\u2028b"}, "lastName"),
        ({"role": "king"}, "role"),
        ({"language": "fr"}, "language"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"unknown": 1}, "unknown"),
        ({"id": "x"}, "id"),
    ],
)
def test_what_is_not_valid_is_named_by_its_field(api: Api, change: dict[str, object], field: str) -> None:
    answer = api("admin").post("/users", {**TOM, **change})
    assert answer.status_code == 400
    assert [e["field"] for e in answer.json["errors"]] == [field]
    assert answer.json["type"] == "/errors/validation-error"


def test_a_known_address_is_a_conflict_in_any_case(api: Api) -> None:
    client = api("admin")
    client.post("/users", TOM)
    answer = client.post("/users", {**TOM, "email": "TOM@EXAMPLE.com"})
    assert answer.status_code == 409
    assert answer.json["errors"][0]["field"] == "email"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_administrator_changes_anybody(api: Api, person: Callable[..., Person], method: str) -> None:
    someone = person("user")
    answer = api("admin").call(method, f"/users/{someone.id}", {"firstName": "Thomas", "status": "inactive"})
    assert answer.status_code == 200
    assert (answer.json["firstName"], answer.json["status"]) == ("Thomas", "inactive")
    assert answer.json["lastName"] != ""


def test_a_new_password_from_the_administrator_ends_all_sign_ins(api: Api, person: Callable[..., Person]) -> None:
    someone = person("user")
    theirs = api(of=someone)
    client = api("admin")
    assert client.patch(f"/users/{someone.id}", {"password": "another-fine-staple-9"}).status_code == 200
    assert theirs.get("/auth/me").status_code == 401
    assert api().post("/auth/login", {"email": someone.email, "password": PASSWORD}).status_code == 401
    own = client.patch(f"/users/{client.person.id}", {"password": "another-fine-staple-9"})
    assert own.status_code == 400


@pytest.mark.parametrize("role", ["supervisor", "agent", "user"])
def test_others_change_only_their_own_names(api: Api, person: Callable[..., Person], role: str) -> None:
    someone = person("user")
    client = api(role)
    own = f"/users/{client.person.id}"
    assert client.patch(own, {"firstName": "Neu"}).json["firstName"] == "Neu"
    assert client.patch(own, {"role": "admin"}).status_code == 403
    assert client.patch(own, {"status": "active"}).status_code == 403
    assert client.patch(own, {"password": "another-fine-staple-9"}).status_code == 400
    assert client.patch(f"/users/{someone.id}", {"firstName": "x"}).status_code == 403
    assert client.delete(f"/users/{someone.id}").status_code == 403
    assert client.post("/users", TOM).status_code == 403
    assert client.get(own).status_code == 200
    expected = 200 if role == "supervisor" else 403
    assert client.get(f"/users/{someone.id}").status_code == expected
    assert client.get("/users").status_code == expected


def test_deleting_is_soft_and_final(api: Api, person: Callable[..., Person]) -> None:
    someone = person("user")
    client = api("admin")
    assert client.delete(f"/users/{someone.id}").status_code == 204
    assert client.get(f"/users/{someone.id}").status_code == 404
    assert client.delete(f"/users/{someone.id}").status_code == 404
    assert client.patch(f"/users/{someone.id}", {"firstName": "x"}).status_code == 404
    assert api().post("/auth/login", {"email": someone.email, "password": PASSWORD}).status_code == 401


def test_the_last_administrator_and_oneself_cannot_be_deleted(api: Api, person: Callable[..., Person]) -> None:
    client = api("admin")
    assert client.delete(f"/users/{client.person.id}").status_code == 409
    second = person("admin")
    assert client.patch(f"/users/{second.id}", {"role": "user"}).status_code == 200
    assert client.patch(f"/users/{client.person.id}", {"role": "user"}).status_code == 409


def test_nobody_is_invited_into_a_switched_off_account(api: Api, person: Callable[..., Person]) -> None:
    client = api("admin")
    someone = person("user", status="suspended")
    assert client.post(f"/users/{someone.id}/invitation").status_code == 409
    assert client.post(f"/users/{client.person.id}/invitation").status_code == 409


def test_a_person_who_never_chose_a_password_becomes_invited_again_when_switched_on(
    api: Api, person: Callable[..., Person]
) -> None:
    someone = person("user", status="inactive", password=None)
    answer = api("admin").patch(f"/users/{someone.id}", {"status": "active"})
    assert answer.json["status"] == "invited"


@pytest.mark.parametrize("path", ["/users/x", "/users/00000000-0000-0000-0000-000000000000", "/nothing"])
def test_what_does_not_exist_is_a_404_problem(api: Api, path: str) -> None:
    answer = api("admin").get(path)
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
