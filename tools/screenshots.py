"""The pictures of the README, taken of the real product: ``python -m tools.screenshots [folder]``.

Starts pbxweb below a temporary folder, lets real phones (baresip) sign in and call each other, and looks at the pages
with Chromium. Needs what ``make test`` needs.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.asterisk.pbx import HOST, free_ports, until
from tests.asterisk.phones import Phone, Phones
from tests.served import EMAIL, PASSWORD, Served

NAMES = ("Anna", "Ben", "Kitchen", "Workshop", "Front door", "Clara", "Office", "Garden")
PEOPLE = (("Anna", "Berg", "supervisor"), ("Ben", "Winter", "user"), ("Clara", "Sommer", "agent"))
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
NEXT = "main form button[type=submit]"


def usual_port() -> int:
    """5060, so that the pictures show what an owner sees; any other where it is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.bind((HOST, 5060))
        return 5060
    return free_ports(1)[0]


def wizard(page: Page, served: Served, phones: int) -> list[str]:
    """The first run up to its last page; the passwords of the phones."""
    page.goto(served.url)
    page.fill("#code", served.setup_code())
    page.click(NEXT)
    page.wait_for_url("**/language")
    page.click(NEXT)
    page.wait_for_url("**/account")
    for name, value in (("first_name", "Ada"), ("last_name", "Lang"), ("email", EMAIL), ("password", PASSWORD)):
        page.fill(f"#{name}", value)
    page.click(NEXT)
    page.wait_for_url("**/place")
    page.select_option("#country", "DE")
    page.fill("#area_code", "030")
    page.click(NEXT)
    page.wait_for_url("**/phones")
    page.fill("#count", str(phones))
    page.click(NEXT)
    page.wait_for_url("**/sheet")
    return page.locator(".phone-card .copyable code").all_inner_texts()


def furnish(served: Served) -> None:
    """Names, people, and what a lived-in system has: do not disturb, forwarding, owners."""
    made = served.api("GET", "/extensions?limit=100").body["data"]
    owners = []
    for first, last, role in PEOPLE:
        person = {"firstName": first, "lastName": last, "email": f"{first.lower()}@example.org", "role": role}
        owners.append(served.api("POST", "/users", person | {"password": PASSWORD}).body["id"])
    for n, (phone, name) in enumerate(zip(made, NAMES, strict=False)):
        change: dict[str, object] = {"displayName": name, "pickupGroup": "house"}
        if name in ("Anna", "Ben", "Clara"):
            change["userId"] = owners[("Anna", "Ben", "Clara").index(name)]
        if name == "Garden":
            change["dndEnabled"] = True
        if name == "Office":
            change["forwarding"] = {"onNoAnswer": {"enabled": True, "destination": "extension:201", "timeout": 20}}
        answer = served.api("PATCH", f"/extensions/{phone['id']}", change)
        assert answer.status == 200, (n, answer)


def talk(caller: Phone, called: Phone, seconds: float) -> None:
    """A call that is answered."""
    caller.forget()
    called.forget()
    caller.dial(called.number)
    called.answer()
    caller.talking()
    time.sleep(seconds)
    caller.hang_up().closed()


def fill_history(phones: list[Phone]) -> None:
    """Calls of each kind: answered, missed, refused, echo, transferred."""
    anna, ben, kitchen, workshop, door, clara = phones[:6]
    talk(anna, ben, 3)
    ben.forget()
    ben.dial(kitchen.number)
    kitchen.wait("CALL_INCOMING")
    time.sleep(1.5)
    ben.hang_up().closed()
    talk(clara, anna, 2)
    door.forget()
    door.dial("*43").talking()
    time.sleep(1.5)
    door.hang_up().closed()
    anna.forget()
    anna.dial("208").closed()
    talk(workshop, clara, 4)
    for phone in (ben, anna, workshop):
        phone.forget()
    ben.dial(anna.number)
    anna.answer()
    ben.talking()
    anna.transfer(workshop.number)
    workshop.answer()
    time.sleep(2)
    workshop.hang_up().closed()


@contextlib.contextmanager
def demo(browser: Browser, picture: Path | None = None) -> Iterator[tuple[Served, list[Phone]]]:
    """A house with eight phones, six of them signed in, a history and two live calls.

    ``picture``: where the wizard's last page is kept, when two of its phones are signed in.
    """
    with tempfile.TemporaryDirectory(prefix="pbxweb-pictures-") as folder:
        served = Served(Path(folder) / "var", sip_bind=f"{HOST}:{usual_port()}")
        phones = Phones(Path(folder) / "phones", served.settings.sip_bind.port)
        try:
            served.start()
            page = browser.new_page(viewport={"width": 1100, "height": 860}, locale="en")
            passwords = wizard(page, served, len(NAMES))
            started = [phones.add(str(201 + n), password=passwords[n]) for n in range(2)]
            until(lambda: page.locator(".phone-card .tone-green").count() == 2, 10, "two green phones")
            if picture:
                page.screenshot(path=picture)
            page.locator("form[action='/setup/finish'] button").click()
            page.wait_for_url(f"{served.url}/")
            page.context.close()
            served.sign_in()
            furnish(served)
            started += [phones.add(str(201 + n), password=passwords[n]) for n in range(2, 6)]
            fill_history(started)
            anna, _ben, kitchen, workshop, _door, clara = started
            for phone in started:
                phone.forget()
            anna.dial(clara.number)
            clara.answer()
            anna.talking()
            kitchen.dial(workshop.number)
            workshop.wait("CALL_INCOMING")
            yield served, started
        finally:
            phones.close()
            served.close()


def sign_in(browser: Browser, served: Served, *, narrow: bool = False, dark: bool = False, locale: str = "en") -> Page:
    """The administrator in a browser of its own."""
    page = browser.new_page(
        base_url=served.url,
        viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        locale=locale,
        device_scale_factor=2 if narrow else 1,
    )
    page.goto("/login")
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/")
    page.locator(f"button[name=language][value={locale}]").evaluate("button => button.click()")
    page.locator(f"html[lang={locale}]").wait_for()
    return page


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        with demo(browser, folder / "wizard-phones.png") as (served, _phones):
            page = sign_in(browser, served)
            for name, path in (("dashboard", "/"), ("extensions", "/phones"), ("history", "/calls/history")):
                page.goto(path)
                page.wait_for_timeout(800)
                page.screenshot(path=folder / f"{name}.png")
            small = sign_in(browser, served, narrow=True, dark=True, locale="de")
            small.goto("/")
            small.wait_for_timeout(800)
            small.screenshot(path=folder / "phone-dark.png")
        browser.close()
    for picture in sorted(folder.glob("*.png")):
        print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
