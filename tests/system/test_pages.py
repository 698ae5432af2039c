"""The pages and the API of the device itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.extensions import service as phones
from pbxweb.security.roles import Actor, Role
from pbxweb.system import health, house
from tests.conftest import ApiClient, Person, counted_queries, send


@pytest.fixture
def ada(admin: Person) -> Actor:
    """The administrator as an actor."""
    return Actor("Ada", Role.ADMIN, admin.id)


@pytest.fixture
def browser(client: FlaskClient, admin: Person, sign_in: Callable[[FlaskClient, Person], None]) -> FlaskClient:
    """A browser in which the administrator is signed in."""
    sign_in(client, admin)
    return client


def test_strangers_learn_little_from_the_status(app: Flask, api: Callable[..., ApiClient]) -> None:
    answer = api().get("/system/status").json
    assert set(answer) == {"status", "version", "uptime", "services", "activeCalls", "registeredExtensions"}
    assert set(answer["services"]) == {"sip", "database", "storage"}
    assert api().get("/system/stats").status_code == 401
    assert api("user").get("/system/stats").status_code == 403


def test_the_figures(app: Flask, ada: Actor, api: Callable[..., ApiClient]) -> None:
    with app.test_request_context():
        phones.create(ada, {"number": "201", "display_name": "Office"})
    stats = api("admin").get("/system/stats").json
    assert (stats["totalUsers"], stats["totalExtensions"], stats["callsToday"]) == (2, 1, 0)
    assert stats["storageUsedGB"] >= 0
    shown = api("user").get("/stats/dashboard").json
    assert (shown["extensions"], shown["activeCalls"], shown["asteriskUp"]) == (0, 0, False)
    assert api("supervisor").get("/stats/dashboard").json["extensions"] == 1


def test_the_dashboard_asks_the_same_few_questions_however_many_phones(
    app: Flask, ada: Actor, browser: FlaskClient
) -> None:
    browser.get("/")
    with counted_queries(app) as few:
        assert browser.get("/").status_code == 200
    with app.test_request_context():
        phones.bulk_create(ada, "201", 60)
    with counted_queries(app) as many:
        assert browser.get("/").status_code == 200
    assert len(many) <= len(few) + 1 < 20


def test_settings_take_effect_and_say_what_is_wrong(app: Flask, browser: FlaskClient) -> None:
    fields = {"country": "CH", "area_code": "044", "digits": "4", "language": "de", "tone_zone": "ch"}
    wrong = send(browser, "/system/settings", fields | {"area_code": "abc"})
    assert wrong.status_code == 422
    assert "Write the area code in digits" in wrong.text
    assert send(browser, "/system/settings", fields).status_code == 303
    with app.test_request_context():
        assert (house.house().country, house.house().area_code) == ("CH", "44")
        etc = app.extensions["pbxweb.settings"].asterisk_etc
        assert "country = ch" in (etc / "indications.conf").read_text().replace("country=", "country = ")


def test_the_api_changes_some_settings_and_leaves_the_others(app: Flask, api: Callable[..., ApiClient]) -> None:
    program = api("admin")
    program.patch("/system/settings", {"country": "FR", "numberPlan": 4})
    answer = program.patch("/system/settings", {"areaCode": "01"}).json
    assert answer == {"language": "en", "country": "FR", "areaCode": "1", "numberPlan": 4, "toneZone": "fr"}
    assert program.patch("/system/settings", {"country": "XX"}).status_code == 400
    assert api("supervisor").patch("/system/settings", {"areaCode": "02"}).status_code == 403


def test_a_change_is_listed_with_its_difference_and_can_be_taken_back(
    app: Flask, ada: Actor, browser: FlaskClient, api: Callable[..., ApiClient]
) -> None:
    with app.test_request_context():
        phones.create(ada, {"number": "201", "display_name": "Office"})
    listed = browser.get("/system/changes")
    assert "Phone 201" in listed.text
    newest = api("admin").get("/system/revisions").json["data"][0]
    page = browser.get(f"/system/changes/{newest['number']}")
    assert 'class="diff-add"' in page.text
    assert "[201]" in page.text
    assert "pjsip.conf" in newest["files"]
    assert send(browser, f"/system/changes/{newest['number']}/undo").headers["Location"] == "/system/changes"
    with app.test_request_context():
        assert phones.by_number("201") is None
    again = send(browser, f"/system/changes/{newest['number']}/undo", follow_redirects=True)
    assert "cannot be undone" in again.text
    assert api("admin").post(f"/system/revisions/{newest['number']}/undo").status_code == 409
    assert browser.get("/system/changes/9999").status_code == 404


def test_the_trail_can_be_searched_and_paged(
    app: Flask, ada: Actor, browser: FlaskClient, api: Callable[..., ApiClient]
) -> None:
    with app.test_request_context():
        for number in range(201, 206):
            phones.create(ada, {"number": str(number), "display_name": f"Phone {number}"})
    found = browser.get("/system/audit?search=extension+203&action=extension.")
    assert "Phone 203" in found.text
    assert "Phone 204" not in found.text
    assert "Nothing matches" in browser.get("/system/audit?search=nobody").text
    program = api("admin")
    first = program.get("/system/audit?limit=3&action=extension.").json
    rest = program.get(f"/system/audit?limit=3&action=extension.&before={first['next']}").json
    assert [entry["subject"] for entry in first["data"] + rest["data"]] == [
        f"extension {number}" for number in range(205, 200, -1)
    ]
    assert rest["next"] is None


def test_a_change_of_many_phones_is_cut_in_lists_and_whole_on_its_own_page(
    app: Flask, ada: Actor, browser: FlaskClient, api: Callable[..., ApiClient]
) -> None:
    with app.test_request_context():
        phones.bulk_create(ada, "2000", 60)
    program = api("admin")
    newest = program.get("/system/audit?limit=1").json["data"][0]
    assert newest["details"] is None
    whole = program.get(f"/system/audit/{newest['id']}").json
    assert len(whole["details"]["changed"]) == 60
    assert program.get("/system/audit/999999").status_code == 404
    assert program.get(f"/system/audit/{10**30}").status_code == 404
    listed = browser.get("/system/audit")
    assert f'/system/audit/{newest["id"]}"' in listed.text
    assert "Phone 2059" not in listed.text
    seen, path = "", f"/system/audit/{newest['id']}"
    while path:
        shown = BeautifulSoup(browser.get(path).text, "html.parser")
        seen += shown.text
        following = shown.select_one('a[rel="next"]')
        path = str(following["href"]) if following else ""
    assert all(f"Phone {number}" in seen for number in range(2000, 2060))
    number = program.get("/system/revisions?limit=1").json["data"][0]["number"]
    page = browser.get(f"/system/changes/{number}")
    assert "[2059]" not in page.text
    assert f"/system/changes/{number}.diff" in page.text
    assert "+[2059]" in browser.get(f"/system/changes/{number}.diff").text


def test_no_secret_is_in_trail_or_changes(app: Flask, ada: Actor, browser: FlaskClient) -> None:
    with app.test_request_context():
        password = phones.create(ada, {"number": "201", "display_name": "Office"}).password
        digest = phones.by_number("201").sip_digest  # type: ignore[union-attr]
    for path in ("/system/audit", "/system/changes", "/system/changes/1", "/system/changes/2", "/system"):
        text = browser.get(path).text
        assert password not in text
        assert digest not in text


def _titles(app: Flask, actor: Any) -> list[str]:
    with app.test_request_context():
        return [found.title for found in health.findings(actor)]


def test_the_health_line_says_what_to_do_next(app: Flask, ada: Actor) -> None:
    assert _titles(app, ada) == ["The first set-up is not finished."]
    with app.test_request_context():
        house.keep(ada, "setup.finish", {"setup": "2026-01-01T00:00:00+00:00"})
    assert _titles(app, ada) == ["There is no phone yet."]
    with app.test_request_context():
        phones.create(ada, {"number": "201", "display_name": "Office"})
    assert _titles(app, ada) == ["No phone has signed in yet."]
    assert _titles(app, Actor("Bob", Role.USER, "1")) == ["Everything is working."]


def test_the_health_line_tells_of_files_changed_by_hand(app: Flask, ada: Actor) -> None:
    with app.test_request_context():
        phones.create(ada, {"number": "201", "display_name": "Office"})
        health.compare()
        assert not health.compared().differ
        file = app.extensions["pbxweb.settings"].asterisk_etc / "pjsip.conf"
        file.write_text("; by hand\n" + file.read_text())
        health.compare()
    assert "Asterisk's files were changed by hand and differ from what is set here." in _titles(app, ada)


def test_the_health_line_tells_of_a_full_disk(app: Flask, ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    for free, title in ((5 * 10**8, "The disk is nearly full."), (10**7, "The disk is full")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: usage(10**11, 10**11 - free, free))
        assert any(found.startswith(title) for found in _titles(app, ada))
