"""Every form of the pages in a real browser, with bad and with good input, with and without JavaScript."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Locator, Page, expect

from tests.asterisk.phones import Phones
from tests.browser.conftest import Eyes, sign_in
from tests.served import PASSWORD, Served

NUMBERS = itertools.count(300)


@dataclass(frozen=True)
class Form:
    """One form: where it is, what is wrong in ``bad`` and at which field that is said, and where ``good`` leads."""

    endpoint: str
    page: str
    bad: dict[str, str]
    error: str
    good: dict[str, str]
    leads_to: str
    selector: str = "main form"
    more: tuple[str, ...] = field(default=())


FORMS = (
    Form("users.save_profile", "/profile", {"timezone": "Moon/Crater"}, "timezone", {"timezone": "Europe/Berlin"},
         "**/profile", "main form[action='/profile']"),
    Form("users.change_password", "/profile", {"current_password": "wrong", "new_password": PASSWORD},
         "current_password", {"current_password": PASSWORD, "new_password": PASSWORD}, "**/profile",
         "main form[action='/profile/password']"),
    Form("people.create", "/people/new", {"email": "nobody"}, "email", {"email": "p{n}@example.org"}, "**/people/new"),
    Form("people.edit", "/people/{person}", {"email": "nobody"}, "email",
         {"email": "eve@example.org", "first_name": "Eve {n}"}, "**/people", "main form[action^='/people/']"),
    Form("extensions.create", "/phones/new", {"number": "1", "display_name": "Attic"}, "number",
         {"number": "{n}", "display_name": "Attic"}, "**/phones/ready*"),
    Form("extensions.update", "/phones/{phone}/edit",
         {"forward_unconditional_enabled": "yes", "forward_unconditional_destination": "987654"},
         "forward_unconditional_destination",
         {"forward_unconditional_destination": "", "forward_unconditional_enabled": "", "display_name": "Attic {n}"},
         "**/phones/{phone}"),
    Form("extensions.reveal", "/phones/{phone}", {"account_password": "wrong"}, "account_password",
         {"account_password": PASSWORD}, "**/phones/{phone}/password", "main form[action$='/password']"),
    Form("extensions.create_several", "/phones/several", {"count": "0"}, "count", {"count": "2", "first_number": "{n}"},
         "**/phones/ready*"),
    Form("extensions_csv.plan", "/phones/import", {}, "file", {"file": "number,displayName\n{n},Cellar\n"},
         "**/phones/import"),
    Form("system.save_settings", "/system/settings", {"area_code": "not digits"}, "area_code", {"area_code": "040"},
         "**/system/settings"),
)  # fmt: skip

# Forms of their own tests, below or beside this file.
ALONE = {"users.check_login", "users.invitation", "calls.originate", "extensions.delete_selected", "extensions_csv.go"}
FIRST_RUN = {"setup.check_code", "setup.choose_language", "setup.account", "setup.place", "setup.phones"}
# One button and nothing to type: what they do is held by the tests of their room and, pressed here, by test_buttons.
BUTTONS = {
    "calls.hangup", "extensions.delete", "extensions.dnd", "extensions.renew", "people.delete", "people.link",
    "people.sign_out", "setup.finish", "system.undo", "users.logout", "users.sign_out_one", "users.sign_out_others",
    "web.confirm", "web.language", "web.theme",
}  # fmt: skip


def test_no_form_is_forgotten(app: Flask) -> None:
    sent = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not rule.rule.startswith("/api/")
    }
    assert sent == {form.endpoint for form in FORMS} | ALONE | FIRST_RUN | BUTTONS


def _fill(form: Locator, values: dict[str, str]) -> None:
    for name, value in values.items():
        one = form.locator(f"[name='{name}']").first
        kind = one.get_attribute("type")
        if kind == "file":
            one.set_input_files({"name": "phones.csv", "mimeType": "text/csv", "buffer": value.encode()})
        elif kind == "checkbox":
            one.set_checked(bool(value))
        else:
            one.fill(value)


def _send(page: Page, form: Locator) -> int:
    """Send it as a browser does that checks nothing itself; the answer's status."""
    form.evaluate("form => { form.noValidate = true }")
    with page.expect_navigation() as navigation:
        form.locator("button[type=submit], button:not([type])").first.click()
    answer = navigation.value
    assert answer is not None
    return answer.status


def _words(form: Form, house: Served) -> Callable[[str], str]:
    known = {
        "n": str(next(NUMBERS)),
        "phone": house.api("GET", "/extensions?limit=1").body["data"][0]["id"],
        "person": next(p["id"] for p in house.api("GET", "/users").body["data"] if p["email"] == "eve@example.org"),
    }
    next(NUMBERS)
    return lambda text: (
        text.replace("{n}", known["n"]).replace("{phone}", known["phone"]).replace("{person}", known["person"])
    )


@pytest.fixture
def somebody(house: Served) -> None:
    """A person to change."""
    person = {"email": "eve@example.org", "role": "user", "firstName": "Eve", "password": PASSWORD}
    assert house.api("POST", "/users", person).status in (201, 409)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.endpoint)
def test_a_form_names_the_bad_field_and_takes_good_input(
    house: Served, visit: Callable[..., Eyes], somebody: None, form: Form, scripts: bool
) -> None:
    told = _words(form, house)
    eyes = sign_in(visit(house, scripts=scripts), locale="en" if scripts else "de")
    page = eyes.page
    page.goto(told(form.page))
    shown = page.locator(form.selector).first
    _fill(shown, {name: told(value) for name, value in form.bad.items()})
    assert _send(page, shown) == 422
    expect(page.locator(f"#{form.error}-error")).to_be_visible()
    expect(page.locator(f"#{form.error}")).to_have_attribute("aria-invalid", "true")
    assert f"{form.error}-error" in str(page.locator(f"#{form.error}").get_attribute("aria-describedby"))
    if scripts:
        eyes.look_around(f"bad-{form.endpoint}")
    shown = page.locator(form.selector).first
    _fill(shown, {name: told(value) for name, value in form.good.items()})
    assert _send(page, shown) == 200
    page.wait_for_url(told(form.leads_to))
    expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    if scripts:
        eyes.look(f"good-{form.endpoint}")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_signing_in_says_what_is_wrong(house: Served, visit: Callable[..., Eyes], scripts: bool) -> None:
    eyes = visit(house, scripts=scripts)
    page = eyes.page
    page.goto("/login")
    form = page.locator("main form")
    assert _send(page, form) == 422
    expect(page.locator("#email-error")).to_be_visible()
    expect(page.locator("#password-error")).to_be_visible()
    _fill(form, {"email": "ada@example.org", "password": "wrong"})
    assert _send(page, form) == 422
    expect(page.locator("main form .alert-danger")).to_be_visible()
    expect(page.locator("#email")).to_have_value("ada@example.org")
    if scripts:
        eyes.look("login-wrong")
    sign_in(eyes)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_a_one_time_link_leads_to_a_password(house: Served, visit: Callable[..., Eyes], scripts: bool) -> None:
    page = sign_in(visit(house, scripts=scripts)).page
    page.goto("/people/new")
    email = f"guest{next(NUMBERS)}@example.org"
    form = page.locator("main form").first
    _fill(form, {"email": email})
    assert _send(page, form) == 200
    link = page.locator(".copyable code").inner_text()
    eyes = visit(house, scripts=scripts)
    guest = eyes.page
    guest.goto(link)
    _fill(guest.locator("main form"), {"password": "short"})
    assert _send(guest, guest.locator("main form")) == 422
    expect(guest.locator("#password-error")).to_be_visible()
    if scripts:
        eyes.look("invitation")
    _fill(guest.locator("main form"), {"password": PASSWORD})
    assert _send(guest, guest.locator("main form")) == 200
    guest.wait_for_url(f"{house.url}/")
    assert guest.goto(link).status in (404, 410, 422)  # type: ignore[union-attr]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_a_file_of_phones_shows_what_would_happen_first(
    house: Served, visit: Callable[..., Eyes], scripts: bool
) -> None:
    eyes = sign_in(visit(house, scripts=scripts))
    page = eyes.page
    number = next(NUMBERS)
    page.goto("/phones/import")
    form = page.locator("main form").first
    _fill(form, {"file": f"number,displayName\n{number},Cellar\n1,\n"})
    assert _send(page, form) == 200
    expect(page.locator("main .tone-red").first).to_be_visible()
    expect(page.locator("form[action='/phones/import/go']")).to_have_count(0)
    if scripts:
        eyes.look("plan-wrong")
    page.goto("/phones/import")
    _fill(form, {"file": f"number,displayName\n{number},Cellar\n"})
    assert _send(page, form) == 200
    assert _send(page, page.locator("form[action='/phones/import/go']")) == 200
    page.wait_for_url("**/phones/ready*")
    expect(page.locator("main")).to_contain_text("Cellar")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_selected_phones_are_deleted_after_a_question(house: Served, visit: Callable[..., Eyes], scripts: bool) -> None:
    number = str(next(NUMBERS))
    assert house.api("POST", "/extensions", {"number": number, "displayName": "Gone soon"}).status == 201
    eyes = sign_in(visit(house, scripts=scripts))
    page = eyes.page
    page.goto(f"/phones?search={number}")
    expect(page.locator("#selected")).to_be_hidden()
    page.get_by_label(f"Select {number}").check()
    page.locator("#selected button").click()
    expect(page.locator("main")).to_contain_text("Gone soon")
    if scripts:
        eyes.look("delete-selected")
    page.locator("main form button.btn-danger").click()
    page.wait_for_url("**/phones")
    assert house.api("GET", f"/extensions?search={number}").body["data"] == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_a_number_is_called_from_the_page(
    house: Served, visit: Callable[..., Eyes], handsets: Phones, scripts: bool, tmp_path: Path
) -> None:
    first = house.made[0]  # type: ignore[attr-defined]
    phone = handsets.add(first["number"], password=first["password"])
    page = sign_in(visit(house, scripts=scripts)).page
    page.goto("/calls")
    form = page.locator("form[action='/calls/originate']")
    _fill(form, {"dial-target": "nobody!"})
    assert _send(page, form) == 422
    expect(page.locator("#dial-target-error")).to_be_visible()
    _fill(form, {"dial-target": "*43"})
    form.locator("[name=dial-source]").select_option(first["number"])
    assert _send(page, form) == 200
    phone.answer()
    assert phone.hears(phone.hertz)
    phone.hang_up().closed()


def test_buttons(house: Served, visit: Callable[..., Eyes], somebody: None) -> None:
    """Without JavaScript a question is a page; each button leads back to where it was pressed or to the list."""
    number = str(next(NUMBERS))
    made = house.api("POST", "/extensions", {"number": number, "displayName": "Pressed"}).body
    page = sign_in(visit(house, scripts=False)).page
    where = f"/phones/{made['id']}"
    page.goto(where)
    page.get_by_role("button", name="Do not disturb").click()
    expect(page.get_by_role("button", name="Switch do not disturb off")).to_be_visible()
    page.get_by_role("button", name="New password").click()
    page.get_by_role("button", name="New password").click()
    expect(page.locator(".copyable code").nth(3)).to_be_visible()
    page.goto(where)
    page.get_by_role("button", name="Delete the phone").click()
    page.get_by_role("button", name="Delete the phone").click()
    page.wait_for_url("**/phones")
    person = next(p["id"] for p in house.api("GET", "/users").body["data"] if p["email"] == "eve@example.org")
    page.goto(f"/people/{person}")
    page.get_by_role("button", name="One-time link").click()
    page.get_by_role("button", name="One-time link").click()
    expect(page.locator(".copyable code")).to_be_visible()
    page.goto(f"/people/{person}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/people")


def test_a_filter_that_is_no_date_is_named(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house)).page
    page.goto("/calls/history?since=yesterday")
    expect(page.locator("#since-error")).to_be_visible()
