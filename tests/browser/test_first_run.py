"""The wizard in a real browser, up to a phone that turns green."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.asterisk.phones import Phones
from tests.browser.conftest import NARROW, Eyes
from tests.served import EMAIL, PASSWORD, Served

NEXT = "main form button[type=submit]"
# A code is only read with all of it on the page and the white border around it.
WHOLE = """codes => codes.map(code => {
    const all = code.getBoundingClientRect(), ink = code.querySelector(".qrline").getBoundingClientRect();
    const [border, size] = [4 * all.width / code.viewBox.baseVal.width, 150];
    return all.width > size && ink.left - all.left >= border - 1 && all.right - ink.right >= border - 1
        && ink.top - all.top >= border - 1 && all.bottom - ink.bottom >= border - 1;
})"""


def _account(page: Page, password: str) -> None:
    page.fill("#first_name", "Ada")
    page.fill("#last_name", "Lovelace")
    page.fill("#email", EMAIL)
    page.fill("#password", password)
    page.click(NEXT)


def _to_the_sheet(page: Page, code: str, phones: int = 2) -> None:
    page.goto("/")
    page.fill("#code", code)
    page.click(NEXT)
    page.wait_for_url("**/language")
    page.click(NEXT)
    page.wait_for_url("**/account")
    _account(page, PASSWORD)
    page.wait_for_url("**/place")
    page.select_option("#country", "DE")
    page.fill("#area_code", "030")
    page.click(NEXT)
    page.wait_for_url("**/phones")
    page.fill("#count", str(phones))
    page.click(NEXT)
    page.wait_for_url("**/sheet")


@pytest.mark.parametrize("locale", ["en", "de-DE"])
def test_the_wizard_leads_to_two_phones_that_hear_each_other(
    new_house: Served, visit: Callable[..., Eyes], tmp_path: Path, locale: str
) -> None:
    eyes = visit(new_house, locale=locale)
    page = eyes.page
    colours = ("light", "dark") if locale == "en" else ("dark", "light")
    page.goto("/phones")
    page.wait_for_url("**/setup/code")
    expect(page.locator("html")).to_have_attribute("lang", locale[:2])
    eyes.look_around("setup-1-code", *colours)
    page.fill("#code", "AAAA-AAAA")
    page.click(NEXT)
    expect(page.locator("#code-error")).to_be_visible()
    eyes.look_around("setup-1-wrong", *colours)
    page.fill("#code", new_house.setup_code().lower())
    page.click(NEXT)
    page.wait_for_url("**/language")
    eyes.look_around("setup-2-language", *colours)
    page.click(NEXT)
    page.wait_for_url("**/account")
    expect(page.locator(".strength")).to_be_hidden()
    page.fill("#password", "short")
    expect(page.locator(".strength-word")).to_have_text({"en": "Too weak", "de-DE": "Zu schwach"}[locale])
    eyes.look_around("setup-3-account", *colours)
    _account(page, "short")
    expect(page.locator("#password-error")).to_be_visible()
    eyes.look_around("setup-3-wrong", *colours)
    _account(page, PASSWORD)
    page.wait_for_url("**/place")
    page.select_option("#country", "DE")
    page.fill("#area_code", "abc")
    page.click(NEXT)
    expect(page.locator("#area_code-error")).to_be_visible()
    eyes.look_around("setup-4-wrong", *colours)
    page.fill("#area_code", "030")
    page.click(NEXT)
    page.wait_for_url("**/phones")
    page.locator("main form .btn-ghost-secondary").click()
    page.wait_for_url("**/place")
    expect(page.locator("#area_code")).to_have_value("30")
    page.go_back()
    page.wait_for_url("**/phones")
    page.fill("#count", "0")
    page.locator("main form").evaluate("form => { form.noValidate = true }")
    page.click(NEXT)
    expect(page.locator("#count-error")).to_be_visible()
    eyes.look_around("setup-5-wrong", *colours)
    page.fill("#count", "2")
    page.click(NEXT)
    page.wait_for_url("**/sheet")
    expect(page.locator(".phone-card")).to_have_count(2)
    passwords = page.locator(".phone-card .copyable code").all_inner_texts()
    handsets = Phones(tmp_path / "phones", new_house.settings.sip_bind.port, new_house.settings.sip_tls_port)
    try:
        first = handsets.add("201", password=passwords[0])
        expect(page.locator("#signed-in-201 .tone-green")).to_be_visible()
        expect(page.locator("#signed-in-202 .tone-gray")).to_be_visible()
        second = handsets.add("202", password=passwords[1])
        expect(page.locator("#signed-in-202 .tone-green")).to_be_visible()
        eyes.look_around("setup-6-sheet", *colours)
        assert page.locator("svg.qr").evaluate_all(WHOLE) == [True, True]
        first.dial(second.number)
        second.answer()
        first.talking()
        with ThreadPoolExecutor() as both:
            ears = both.map(lambda ear, tone: ear.hears(tone.hertz, 10, 60), (first, second), (second, first))
        assert list(ears) == [True, True]
        first.hang_up().closed()
    finally:
        handsets.close()
    page.reload()
    assert page.locator(".phone-card .copyable code").all_inner_texts() == passwords
    page.locator("form[action='/setup/finish'] button").click()
    page.wait_for_url(f"{new_house.url}/")
    assert page.goto("/setup/").status == 404  # type: ignore[union-attr]
    assert page.goto("/setup/sheet").status == 404  # type: ignore[union-attr]


@pytest.mark.parametrize("locale", ["de-DE", "en"])
def test_the_wizard_fits_a_phone_and_works_without_javascript(
    new_house: Served, visit: Callable[..., Eyes], locale: str
) -> None:
    page = visit(new_house, size=NARROW, locale=locale, scripts=False).page
    _to_the_sheet(page, new_house.setup_code())
    expect(page.locator(".phone-card")).to_have_count(2)
    page.locator("form[action='/setup/finish'] button").click()
    page.wait_for_url(f"{new_house.url}/")


def test_an_interrupted_wizard_goes_on_where_it_was(new_house: Served, visit: Callable[..., Eyes]) -> None:
    code = new_house.setup_code()
    first = visit(new_house).page
    first.goto("/")
    first.fill("#code", code)
    first.click(NEXT)
    first.wait_for_url("**/language")
    first.click(NEXT)
    _account(first, PASSWORD)
    first.wait_for_url("**/place")
    other = visit(new_house).page
    assert other.goto("/setup/account").url.endswith("/login?next=/setup/place")  # type: ignore[union-attr]
    other.fill("#email", EMAIL)
    other.fill("#password", PASSWORD)
    other.click("main button[type=submit]")
    other.wait_for_url("**/setup/place")
