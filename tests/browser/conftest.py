"""A real browser at a real pbxweb: every page is watched for errors, foreign requests and barriers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

from pbxweb.settings import CHECKOUT
from tests.asterisk.phones import Phones, phones_at
from tests.served import EMAIL, PASSWORD, Served

AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
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
    bytes: int = 0

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
        """Take a picture of the page as it is and hold it to what every page promises."""
        self.page.wait_for_timeout(150)
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)
        assert not self.complaints, (name, self.complaints)
        overflow = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"{name} is {overflow} pixels wider than the screen"
        assert not (found := self.barriers()), (name, found)

    def barriers(self) -> list[str]:
        """What axe-core finds that keeps people out."""
        if not self.page.evaluate("typeof window.axe === 'object'"):
            self.page.evaluate(f"{AXE.read_text(encoding='utf-8')};0")
        found: list[str] = self.page.evaluate(
            "axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes.map(n => n.target + n.failureSummary)))"
        )
        return found


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
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A house that is set up: an administrator and three phones, one call in its history is up to the test."""
    served = Served(tmp_path_factory.mktemp("house"))
    try:
        served.start()
        served.made = served.set_up(phones=3)  # type: ignore[attr-defined]
        yield served
    finally:
        served.close()


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
        )
        context.set_default_timeout(10_000)
        opened.append(context)
        return Eyes(context.new_page(), shots, urlsplit(served.url).netloc)

    yield open_one
    for context in opened:
        context.close()


def sign_in(eyes: Eyes) -> Eyes:
    """Sign in as the administrator."""
    page = eyes.page
    page.goto("/login")
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/")
    return eyes
