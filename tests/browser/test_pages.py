"""Every page, found by the routes, in both languages, both themes and two widths."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.asterisk.phones import Phones
from tests.browser.conftest import Eyes, sign_in
from tests.served import PASSWORD, Served

# What is at each page's route; {phone}, {person} and the numbers are things that the house has.
PAGES = {
    "system.dashboard": "/",
    "extensions.index": "/phones",
    "extensions.new": "/phones/new",
    "extensions.several": "/phones/several",
    "extensions.show": "/phones/{phone}",
    "extensions.edit": "/phones/{phone}/edit",
    "extensions_csv.choose": "/phones/import",
    "calls.live": "/calls",
    "calls.history": "/calls/history",
    "calls.statistics": "/calls/statistics",
    "people.index": "/people",
    "people.create": "/people/new",
    "people.edit": "/people/{person}",
    "users.profile": "/profile",
    "system.index": "/system",
    "system.settings": "/system/settings",
    "system.revisions": "/system/changes",
    "system.revision": "/system/changes/1",
    "system.audit": "/system/audit",
    "system.audit_entry": "/system/audit/1",
    "api_docs.docs": "/api/v1/docs",
}
# Lists that find nothing.
EMPTY = (
    "/phones?search=nothing",
    "/people?search=nothing",
    "/calls/history?search=999",
    "/system/audit?search=nothing",
)
# Walked in test_first_run and test_forms: they are there only once.
ELSEWHERE = {
    "setup.index", "setup.code", "setup.choose_language", "setup.account", "setup.place", "setup.phones", "setup.sheet",
    "users.login", "users.invitation", "extensions.ready",
}  # fmt: skip
# Files and sockets.
NO_PAGES = {
    "web.static", "web.favicon", "calls.history_csv", "extensions_csv.export", "extensions.provision",
    "system.revision_diff", "live.socket",
}  # fmt: skip


def test_no_page_is_forgotten(app: Flask) -> None:
    shown = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and (not rule.rule.startswith("/api/") or rule.endpoint == "api_docs.docs")
    }
    assert shown == PAGES.keys() | ELSEWHERE | NO_PAGES


@pytest.fixture(scope="module")
def lived_in(one_house: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A person, a phone that forwards and one that is signed in, a call: what the pages show. The ids for PAGES."""
    person = {"email": "eve@example.org", "role": "user", "firstName": "Eve", "password": PASSWORD}
    phones = one_house.made  # type: ignore[attr-defined]
    made = one_house.api("POST", "/users", person)
    assert made.status == 201, made
    forwarding = {"onNoAnswer": {"enabled": True, "destination": "extension:202", "timeout": 20}}
    change = {"userId": made.body["id"], "forwarding": forwarding, "displayName": "Eve"}
    assert one_house.api("PATCH", f"/extensions/{phones[0]['id']}", change).status == 200
    handsets = Phones(tmp_path_factory.mktemp("phones"), one_house.settings.sip_bind.port)
    try:
        caller = handsets.add(phones[1]["number"], password=phones[1]["password"])
        caller.dial("*43").talking()
        caller.hang_up().closed()
    finally:
        handsets.close()
    return {"phone": phones[0]["id"], "person": made.body["id"]}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("locale", "wide", "narrow"), [("en", "light", "dark"), ("de", "dark", "light")])
def test_every_page_is_whole(
    lived_in: dict[str, str], house: Served, visit: Callable[..., Eyes], locale: str, wide: str, narrow: str
) -> None:
    eyes = sign_in(visit(house, locale=locale), locale=locale)
    page = eyes.page
    for path in (*PAGES.values(), *EMPTY):
        answer = page.goto(path.format(**lived_in))
        assert answer is not None
        assert answer.status == 200, path
        expect(page.locator("html")).to_have_attribute("lang", locale)
        for fold in page.locator("main details:not(.more) > summary").all()[:3]:
            if fold.locator("xpath=..").get_attribute("open") is None:
                fold.click()
        eyes.look_around(f"{path.strip('/').replace('/', '-') or 'overview'}-{locale}", wide, narrow)


def test_people_see_what_their_role_has(lived_in: dict[str, str], house: Served, visit: Callable[..., Eyes]) -> None:
    eyes = sign_in(visit(house), "eve@example.org")
    page = eyes.page
    for path in ("/", "/phones", f"/phones/{lived_in['phone']}", f"/phones/{lived_in['phone']}/edit", "/calls",
                 "/calls/history", "/calls/statistics", "/profile"):  # fmt: skip
        assert page.goto(path).status == 200, path  # type: ignore[union-attr]
        expect(page.locator(".side-menu a", has_text="People")).to_have_count(0)
        eyes.look(f"user-{path.replace('/', '-')}")
    assert page.goto("/people").status == 403  # type: ignore[union-attr]
    eyes.look_around("refused")
    assert page.goto("/nowhere").status == 404  # type: ignore[union-attr]
    eyes.look_around("not-found")


def test_who_is_not_signed_in_sees_the_way_in(house: Served, visit: Callable[..., Eyes]) -> None:
    for locale in ("en", "de"):
        eyes = visit(house, locale=locale)
        eyes.page.goto("/phones")
        eyes.page.wait_for_url("**/login**")
        eyes.look_around(f"login-{locale}")
        assert eyes.page.goto("/nowhere").status == 404  # type: ignore[union-attr]
        eyes.look(f"not-found-{locale}")
