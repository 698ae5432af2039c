"""Every page in both languages, both themes and two widths, and what people do there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.asterisk.phones import Phones
from tests.browser.conftest import NARROW, WIDE, Eyes, sign_in
from tests.served import Served

PAGES = (
    "/",
    "/phones",
    "/phones/new",
    "/phones/several",
    "/phones/import",
    "/calls",
    "/calls/history",
    "/calls/statistics",
    "/people",
    "/people/new",
    "/profile",
    "/system",
    "/system/settings",
    "/system/changes",
    "/system/changes/1",
    "/system/audit",
    "/api/v1/docs",
)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_page_is_whole(
    house: Served, visit: Callable[..., Eyes], size: tuple[int, int], dark: bool, locale: str
) -> None:
    eyes = sign_in(visit(house, size=size, dark=dark, locale=locale))
    with eyes.page.expect_navigation():
        eyes.page.locator(f"button[name=language][value={locale}]").evaluate("button => button.click()")
    for path in PAGES:
        answer = eyes.page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert eyes.page.locator("html").get_attribute("lang") == locale
        eyes.look(f"{path.strip('/').replace('/', '-') or 'overview'}-{size[0]}-{'dark' if dark else 'light'}-{locale}")


def test_a_call_shows_as_it_happens_and_can_be_ended(
    house: Served, visit: Callable[..., Eyes], handsets: Phones
) -> None:
    made = house.made  # type: ignore[attr-defined]
    first, second = (handsets.add(one["number"], password=one["password"]) for one in made[:2])
    eyes = sign_in(visit(house))
    page = eyes.page
    expect(page.locator("#connection")).to_have_attribute("data-state", "on")
    expect(page.locator("#figures")).to_contain_text("2 of 3")
    first.dial(second.number)
    expect(page.locator("#dashboard-calls li")).to_have_count(1)
    eyes.look("overview-ringing")
    page.locator("#dashboard-calls form button").click()
    expect(page.locator("#dashboard-calls li")).to_have_count(0)
    expect(page.locator("#recent li").first).to_contain_text("Phone 201")
    eyes.look("overview-after-a-call")


def test_the_theme_and_the_language_are_remembered(house: Served, visit: Callable[..., Eyes]) -> None:
    eyes = sign_in(visit(house))
    page = eyes.page
    page.locator("button[name=theme][value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto("/system")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.locator("button[name=theme][value=auto]").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.locator("button[name=language][value=de]").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("button[name=language][value=en]").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_menu_of_a_small_screen_works_with_and_without_javascript(
    house: Served, visit: Callable[..., Eyes]
) -> None:
    for scripts in (True, False):
        page = sign_in(visit(house, size=NARROW, scripts=scripts)).page
        entry = page.locator(".side-menu a", has_text="Phones")
        expect(entry).to_be_hidden()
        page.locator(".side-open").click()
        expect(entry).to_be_visible()
        page.locator(".side-close").click()
        expect(entry).to_be_hidden()
        page.locator(".side-open").click()
        entry.click()
        page.wait_for_url("**/phones")


def test_forms_work_without_javascript(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house, scripts=False)).page
    page.goto("/system/settings")
    page.fill("#area_code", "not digits")
    page.click("main form button[type=submit]")
    expect(page.locator("#area_code-error")).to_be_visible()
    page.fill("#area_code", "040")
    page.click("main form button[type=submit]")
    expect(page.locator(".notice.tone-green").first).to_be_visible()
    expect(page.locator("#area_code")).to_have_value("40")


def test_a_loss_is_asked_about_first(house: Served, visit: Callable[..., Eyes]) -> None:
    newest = house.api("GET", "/system/revisions?limit=1").body["data"][0]["number"]
    plain = sign_in(visit(house, scripts=False)).page
    plain.goto(f"/system/changes/{newest}")
    plain.get_by_role("button", name="Take back").click()
    expect(plain.get_by_role("heading", name="Are you sure?").last).to_be_visible()
    plain.get_by_role("link", name="Cancel").click()
    plain.wait_for_url(f"**/system/changes/{newest}")
    eyes = sign_in(visit(house))
    page = eyes.page
    page.goto(f"/system/changes/{newest}")
    page.get_by_role("button", name="Take back").click()
    expect(page.locator("dialog#confirm")).to_be_visible()
    eyes.look("dialog")
    page.locator("dialog#confirm").get_by_role("button", name="Cancel").click()
    expect(page.locator("dialog#confirm")).to_be_hidden()
    assert house.api("GET", "/system/revisions?limit=1").body["data"][0]["number"] == newest


def test_the_keyboard_alone_reaches_menu_and_forms(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house)).page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.goto("/")
    link = page.locator(".side-menu a", has_text="System")
    for _ in range(20):
        page.keyboard.press("Tab")
        if link.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/system")
    page.goto("/system/settings")
    page.locator("#area_code").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-green")).to_be_visible()


def test_a_page_weighs_little(house: Served, visit: Callable[..., Eyes]) -> None:
    eyes = visit(house)
    devtools = eyes.page.context.new_cdp_session(eyes.page)
    devtools.send("Network.enable")
    weights: list[int] = []
    devtools.on("Network.loadingFinished", lambda event: weights.append(int(event["encodedDataLength"])))
    sign_in(eyes)
    eyes.page.wait_for_timeout(500)
    assert sum(weights) <= 400_000
    weights.clear()
    eyes.page.goto("/phones")
    eyes.page.wait_for_timeout(500)
    assert sum(weights) <= 40_000


def test_a_page_of_somebody_who_signed_out_is_shut(house: Served, visit: Callable[..., Eyes]) -> None:
    first = sign_in(visit(house))
    second = first.page.context.new_page()
    second.goto("/")
    expect(second.locator("#connection")).to_have_attribute("data-state", "on")
    first.page.locator(".side-logout").click()
    first.page.wait_for_url("**/login")
    second.wait_for_url("**/login**", timeout=8000)
