"""A real browser at a real pbxweb: every page is watched for errors, foreign requests and barriers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright

from pbxweb.settings import CHECKOUT
from tests.asterisk.phones import Phones, phones_at
from tests.served import EMAIL, PASSWORD, Served

AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
# Chromium may tell the colours of before until it has drawn the page anew.
ANEW = "() => { const s = document.body.style; s.display = 'none'; document.body.offsetHeight; s.display = ''; }"
BARRIERS = """axe.run({resultTypes: ["violations"]}).then(found => found.violations.map(
    one => one.id + " " + one.nodes.map(node => node.target + node.failureSummary)))"""
WIDE, NARROW = (1440, 900), (360, 740)
# What Chromium itself says when a page answers with a refusal that the test provokes.
PROVOKED = "Failed to load resource: the server responded with a status of 4"


@dataclass
class Eyes:
    """What went wrong on a page so far, and what it cost."""

    page: Page
    shots: Path
    host: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._answered)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(PROVOKED):
            self.complaints.append(f"console: {message.text}")

    def _answered(self, response: Response) -> None:
        if urlsplit(response.url).netloc != self.host and not response.url.startswith("data:"):
            self.complaints.append(f"foreign: {response.url}")
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")

    def look(self, name: str) -> None:
        """Hold the page as it is to what every page promises; a picture of it is kept if it does not."""
        found = [*self.complaints, *self.barriers()]
        overflow = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if overflow > 0:
            found.append(f"{overflow} pixels wider than the screen")
        if found:
            self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)
        assert not found, (name, self.page.url, found, str(self.shots))

    def look_around(self, name: str, wide: str = "light", narrow: str = "dark") -> None:
        """Look at the page on a wide and a narrow screen, in the colours that are given for each."""
        before = self.page.viewport_size
        assert before is not None
        for (width, height), colours in ((WIDE, wide), (NARROW, narrow)):
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
            expect(self.page.locator("html")).to_have_attribute("data-bs-theme", colours)
            self.page.evaluate(ANEW)
            self.look(f"{name}-{width}-{colours}")
        self.page.set_viewport_size(before)

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out."""
        if not self.page.evaluate("typeof window.axe === 'object'"):
            self.page.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
        found: list[str] = self.page.evaluate(BARRIERS)
        return found


# A busy machine takes longer than a person would like; no test is about that.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pictures."""
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="session")
def one_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A house that is set up: an administrator and three phones."""
    served = Served(tmp_path_factory.mktemp("house"))
    try:
        served.start()
        served.made = served.set_up(phones=3)  # type: ignore[attr-defined]
        yield served
    finally:
        served.close()


@pytest.fixture
def house(one_house: Served) -> Served:
    """The house of this file's tests, whose API the test may use, whatever the one before it signed out."""
    if one_house.api("GET", "/auth/me").status == 401:
        one_house.sign_in()
    return one_house


@pytest.fixture
def new_house(tmp_path: Path) -> Iterator[Served]:
    """A house before its first run."""
    served = Served(tmp_path / "var")
    try:
        yield served.start()
    finally:
        served.close()


@pytest.fixture
def handsets(house: Served, tmp_path: Path) -> Iterator[Phones]:
    """baresip phones at the house."""
    with phones_at(house.settings, tmp_path / "phones") as made:
        yield made


@pytest.fixture
def visit(browser: Browser, shots: Path) -> Iterator[Callable[..., Eyes]]:
    """Opens a browser of its own: ``visit(served, size=NARROW, locale="de", dark=True, scripts=False)``."""
    opened: list[BrowserContext] = []

    def open_one(
        served: Served, *, size: tuple[int, int] = WIDE, locale: str = "en", dark: bool = False, scripts: bool = True
    ) -> Eyes:
        context = browser.new_context(
            base_url=served.url,
            viewport={"width": size[0], "height": size[1]},
            locale=locale,
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        opened.append(context)
        return Eyes(context.new_page(), shots, urlsplit(served.url).netloc)

    yield open_one
    for context in opened:
        context.close()


def sign_in(eyes: Eyes, email: str = EMAIL, locale: str = "en") -> Eyes:
    """Sign in, as the administrator unless told; the person's own language becomes ``locale``."""
    page = eyes.page
    page.goto("/login")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/")
    if page.locator("html").get_attribute("lang") != locale:
        page.locator(f"button[name=language][value={locale}]").evaluate("button => button.click()")
        expect(page.locator("html")).to_have_attribute("lang", locale)
    return eyes
