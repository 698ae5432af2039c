"""``/api/v1/extensions`` on the whole application."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from pbxweb.extensions import service
from pbxweb.extensions.shown import HIDDEN
from pbxweb.security.roles import device
from tests.conftest import PASSWORD, ApiClient, Person, counted_queries

Api = Callable[..., ApiClient]


def made(api: ApiClient, number: str = "201", **more: Any) -> dict[str, Any]:
    answer = api.post("/extensions", {"number": number, "displayName": f"Phone {number}", **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def test_it_creates_shows_changes_and_deletes(api: Api) -> None:
    admin = api("admin")
    new = made(admin, codecPreferences=["opus", "pcma"], maxConcurrentCalls=4)
    assert re.fullmatch(r"\w{16,}", new["sipPassword"])
    assert (new["codecPreferences"], new["maxConcurrentCalls"]) == (["opus", "pcma"], 4)
    shown = admin.get(f"/extensions/{new['id']}").json
    assert shown == {**new, "sipPassword": HIDDEN}
    assert shown["forwarding"]["onNoAnswer"] == {"enabled": False, "destination": None, "timeout": 20}
    assert shown["voicemail"]["enabled"] is False
    changed = admin.patch(f"/extensions/{new['id']}", {"displayName": "Marketing", "dndEnabled": True}).json
    assert (changed["displayName"], changed["dndEnabled"]) == ("Marketing", True)
    assert admin.delete(f"/extensions/{new['id']}").status_code == 204
    assert admin.get(f"/extensions/{new['id']}").status_code == 404


def test_a_given_password_is_not_sent_back(api: Api) -> None:
    assert made(api("admin"), sipPassword="GeneratedSecure123!")["sipPassword"] == HIDDEN


def test_what_was_read_can_be_sent_back(api: Api) -> None:
    admin = api("admin")
    made(admin, "202")
    new = made(admin)
    shown = admin.get(f"/extensions/{new['id']}").json
    shown["forwarding"]["onBusy"] = {"enabled": True, "destination": "202"}
    answer = admin.put(f"/extensions/{new['id']}", shown)
    assert answer.status_code == 200, answer.json
    assert answer.json["forwarding"]["onBusy"] == {"enabled": True, "destination": "extension:202"}


def test_forwardings_are_taken_flat_too(api: Api) -> None:
    admin = api("admin")
    made(admin, "202")
    new = made(admin)
    flat = {
        "forwardOnNoAnswerEnabled": True,
        "forwardOnNoAnswerDestination": "extension:202",
        "forwardOnNoAnswerTimeout": 25,
    }
    answer = admin.patch(f"/extensions/{new['id']}", flat)
    assert answer.json["forwarding"]["onNoAnswer"] == {"enabled": True, "destination": "extension:202", "timeout": 25}
    both = {"forwardOnBusyEnabled": True, "forwarding": {"onBusy": {"enabled": False}}}
    assert admin.patch(f"/extensions/{new['id']}", both).status_code == 400


def test_voicemail_is_refused_politely(api: Api) -> None:
    admin = api("admin")
    new = made(admin, voicemailEnabled=False)
    answer = admin.patch(f"/extensions/{new['id']}", {"forwardOnNoAnswerDestination": "voicemail:201"})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "forwardOnNoAnswerDestination"
    assert "voicemail" in answer.json["errors"][0]["message"]
    assert admin.patch(f"/extensions/{new['id']}", {"voicemailEnabled": True}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"number": "7", "displayName": "A"}, 400, "number"),
        ({"number": "201", "displayName": "A"}, 409, "number"),
        ({"number": "203"}, 400, "displayName"),
        ({"number": "203", "displayName": "A", "colour": "red"}, 400, "colour"),
        ({"number": "203", "displayName": "A", "dndEnabled": "maybe"}, 400, "dndEnabled"),
        ({"number": "203", "displayName": "A", "codecPreferences": ["g729"]}, 400, "codecPreferences"),
    ],
)
def test_it_names_the_field_that_is_wrong(api: Api, body: dict[str, Any], status: int, field: str) -> None:
    admin = api("admin")
    made(admin)
    answer = admin.post("/extensions", body)
    assert answer.status_code == status
    assert answer.json["errors"][0]["field"] == field


def test_the_list_filters_sorts_and_pages(api: Api) -> None:
    admin = api("admin")
    for number, name in (("201", "Zoë"), ("202", "anna"), ("1001", "Bert")):
        made(admin, number, displayName=name)

    def numbers(query: str) -> list[str]:
        return [row["number"] for row in admin.get(f"/extensions?{query}").json["data"]]

    assert numbers("") == ["201", "202", "1001"]
    assert numbers("sort=displayName") == ["202", "1001", "201"]
    assert numbers("sort=-number&limit=2") == ["1001", "202"]
    assert numbers("page=2&limit=2") == ["1001"]
    assert numbers("search=ANN") == ["202"]
    assert numbers("search=20") == ["201", "202"]
    assert numbers("search=%25") == []
    assert numbers("online=true") == []
    assert numbers("status=inactive") == []
    assert admin.get("/extensions?status=gone").status_code == 400


def test_the_list_takes_few_queries_with_500_phones(app: Flask, api: Api) -> None:
    admin = api("admin")
    with app.app_context():
        service.bulk_create(device("test"), "2001", 500)
    admin.get("/extensions")
    with counted_queries(app) as seen:
        answer = admin.get("/extensions?limit=100&search=Phone&sort=owner")
    assert answer.json["meta"]["total"] == 500
    about_phones = [one for one in seen if "extensions" in one]
    assert len(about_phones) <= 3, about_phones


def test_a_bulk_change_takes_no_query_a_phone(app: Flask, api: Api) -> None:
    admin = api("admin")
    with app.app_context():
        service.bulk_create(device("test"), "2001", 60)

    def queries(count: int) -> int:
        items = [
            {"number": str(2001 + n), "changes": {"displayName": f"N{count}", "forwardOnBusyDestination": "2060"}}
            for n in range(count)
        ]
        with counted_queries(app) as seen:
            assert admin.patch("/extensions", items).status_code == 200
        return len(seen)

    assert queries(50) == queries(5)


def test_it_changes_makes_and_deletes_many_at_once(api: Api) -> None:
    admin = api("admin")
    answer = admin.post("/extensions/bulk", {"firstNumber": "201", "count": 3, "namePattern": "Desk {number}"})
    assert answer.status_code == 201
    rows = answer.json["data"]
    assert [row["displayName"] for row in rows] == ["Desk 201", "Desk 202", "Desk 203"]
    assert len({row["sipPassword"] for row in rows}) == 3
    listed = admin.post("/extensions/bulk", {"extensions": [{"number": "301", "displayName": "A"}]})
    assert listed.status_code == 201
    items = [{"id": rows[0]["id"], "changes": {"displayName": "One"}}, {"number": "202", "changes": {"ringSeconds": 9}}]
    assert [row["displayName"] for row in admin.patch("/extensions", items).json["data"]] == ["One", "Desk 202"]
    items[1]["changes"] = {"ringSeconds": 1}
    refused = admin.patch("/extensions", items)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "1.ringSeconds")
    assert admin.patch("/extensions", [{"changes": {}}]).json["errors"][0]["field"] == "0.id"
    assert admin.patch("/extensions", []).status_code == 400
    assert admin.post("/extensions/bulk-delete", {"ids": [row["id"] for row in rows]}).status_code == 204
    assert [row["number"] for row in admin.get("/extensions").json["data"]] == ["301"]


def test_everybody_sees_the_numbers_and_owners_their_phone(api: Api, person: Callable[..., Person]) -> None:
    admin, anna = api("admin"), person("user")
    mine, other = made(admin, "201", userId=anna.id), made(admin, "202")
    api_of_anna = api(of=anna)
    assert [row["number"] for row in api_of_anna.get("/extensions").json["data"]] == ["201", "202"]
    assert api_of_anna.get(f"/extensions/{mine['id']}").status_code == 200
    assert api_of_anna.get(f"/extensions/{mine['id']}/status").json["state"] == "offline"
    assert api_of_anna.get(f"/extensions/{mine['id']}/registrations").json == {"data": []}
    assert api_of_anna.patch(f"/extensions/{mine['id']}", {"dndEnabled": True}).status_code == 200
    for path in ("", "/status", "/registrations"):
        assert api_of_anna.get(f"/extensions/{other['id']}{path}").status_code == 403
    assert api_of_anna.patch(f"/extensions/{mine['id']}", {"displayName": "X"}).status_code == 403
    assert api_of_anna.patch(f"/extensions/{other['id']}", {"dndEnabled": True}).status_code == 403
    assert api_of_anna.delete(f"/extensions/{mine['id']}").status_code == 403
    assert api_of_anna.post("/extensions", {"number": "203", "displayName": "X"}).status_code == 403
    assert api().get("/extensions").status_code == 401
    assert admin.get(f"/users/{anna.id}").json["extensions"] == [{"id": mine["id"], "number": "201"}]
    assert admin.delete(f"/users/{anna.id}").status_code == 204
    assert admin.get(f"/extensions/{mine['id']}").json["user"] is None


def test_a_password_is_shown_for_the_accounts_own_password(api: Api) -> None:
    admin = api("admin")
    new = made(admin)
    path = f"/extensions/{new['id']}/password"
    assert (
        admin.post(path, {"reveal": True, "accountPassword": "wrong"}).json["errors"][0]["field"] == "accountPassword"
    )
    shown = admin.post(path, {"reveal": True, "accountPassword": PASSWORD})
    assert shown.json["sipPassword"] == new["sipPassword"]
    renewed = admin.post(path, {}).json["sipPassword"]
    assert renewed != new["sipPassword"]
    assert admin.post(path, {"sipPassword": "My-own-password-1"}).json["sipPassword"] == "My-own-password-1"
    assert admin.post(path, {"sipPassword": "kurz"}).json["errors"][0]["field"] == "sipPassword"


def test_no_list_and_no_page_of_the_trail_has_a_secret(app: Flask, api: Api) -> None:
    from sqlalchemy import text

    from pbxweb.storage.database import db

    admin = api("admin")
    new = made(admin)
    admin.post(f"/extensions/{new['id']}/password", {"reveal": True, "accountPassword": PASSWORD})
    everything = admin.get("/extensions").text + admin.get(f"/extensions/{new['id']}").text
    with app.app_context():
        digest = db.session.execute(text("SELECT sip_digest FROM extensions")).scalar_one()
        everything += str(db.session.execute(text("SELECT * FROM audit_entries")).all())
    assert new["sipPassword"] not in everything
    assert digest not in everything
