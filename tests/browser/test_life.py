"""What people do on the pages: see calls as they happen, use the keyboard alone, a small screen, or no JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.asterisk.phones import Phones
from tests.browser.conftest import NARROW, Eyes, sign_in
from tests.served import Served


def test_a_call_shows_as_it_happens_and_can_be_ended(
    house: Served, visit: Callable[..., Eyes], handsets: Phones
) -> None:
    made = house.made  # type: ignore[attr-defined]
    first, second = (handsets.add(one["number"], password=one["password"]) for one in made[:2])
    name = house.api("GET", f"/extensions/{made[0]['id']}").body["displayName"]
    eyes = sign_in(visit(house))
    page = eyes.page
    expect(page.locator("#connection")).to_have_attribute("data-state", "on")
    total = house.api("GET", "/extensions").body["meta"]["total"]
    expect(page.locator("#figures")).to_contain_text(f"2 of {total}")
    first.dial(second.number)
    expect(page.locator("#dashboard-calls li")).to_have_count(1)
    eyes.look("overview-ringing")
    page.locator("#dashboard-calls form button").click()
    expect(page.locator("#dashboard-calls li")).to_have_count(0)
    expect(page.locator("#recent li").first).to_contain_text(name)
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


def _tab_to(page: Page, selector: str, most: int = 40) -> None:
    """Press Tab until the element has the focus, which must be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.locator(selector).first.evaluate("element => element === document.activeElement"):
            outline = page.locator(selector).first.evaluate("element => getComputedStyle(element).outlineStyle")
            assert outline == "solid", selector
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_the_keyboard_alone_reaches_menu_and_forms(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house)).page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.goto("/")
    _tab_to(page, ".side-menu a[href='/system']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/system")
    page.goto("/system/settings")
    page.locator("#area_code").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-green")).to_be_visible()
    page.locator("main form button[type=submit]").focus()
    _tab_to(page, ".toasts .btn-close")
    page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-green")).to_have_count(0)


def test_the_keyboard_alone_uses_menus_and_dialogs(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house, size=NARROW)).page
    _tab_to(page, ".side-open")
    page.keyboard.press("Enter")
    expect(page.locator(".side-close")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".side-menu a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".side-menu")).to_be_hidden()
    expect(page.locator(".side-open")).to_be_focused()
    page.goto("/phones")
    _tab_to(page, "details.more summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".more-menu a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".more-menu")).to_be_hidden()
    expect(page.locator("details.more summary")).to_be_focused()
    page.goto(f"/phones/{house.made[2]['id']}")  # type: ignore[attr-defined]
    _tab_to(page, "form[data-confirm$='/new-password'] button")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog#confirm")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("form[data-confirm$='/new-password'] button")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".notice.tone-green, .copyable code >> nth=3").first).to_be_visible()


def test_a_slow_button_says_so_and_is_pressed_once(house: Served, visit: Callable[..., Eyes]) -> None:
    page = sign_in(visit(house)).page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {urlsplit(request.url).path}"))
    page.goto("/phones/several")
    page.fill("#count", "1")
    pressed = """button => {
        button.click();
        button.click();
        const turning = button.querySelectorAll(".spinner-border").length;
        return [button.getAttribute("aria-disabled"), button.textContent, turning];
    }"""
    assert page.locator("main form button[type=submit]").evaluate(pressed) == ["true", "Making them …", 1]
    page.wait_for_url("**/phones/ready*")
    assert sent.count("POST /phones/several") == 1


def test_a_page_outlives_the_web_process(house: Served, visit: Callable[..., Eyes]) -> None:
    """Chromium itself reports the connection that it lost; nothing else is wrong, and the news come again."""
    eyes = sign_in(visit(house))
    expect(eyes.page.locator("#connection")).to_have_attribute("data-state", "on")
    house.kill_worker()
    expect(eyes.page.locator("#connection")).to_have_attribute("data-state", "off")
    expect(eyes.page.locator("#connection")).to_have_attribute("data-state", "on")
    assert [said for said in eyes.complaints if "WebSocket connection to" not in said] == []
    eyes.complaints.clear()
    eyes.page.reload()
    eyes.look("after-a-restart")


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
    second.wait_for_url("**/login**")
