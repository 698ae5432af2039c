"""Pages and lists with 500 registered phones and 100,000 calls: time, bytes, and what eight busy clients do to them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from pbxweb import create_app
from tests.bench.conftest import Full
from tests.bench.people import Browser
from tests.bench.tables import median_seconds, milliseconds, percentile, table, timed
from tests.served import EMAIL, PASSWORD, Served

PAGE_BAR, FIRST_BAR, LATER_BAR, TIMES_BAR = 0.040, 400_000, 40_000, 10
# What lists are asked for besides: as much as they give at once, filtered, searched, the far end.
MORE = (
    "/phones?page=10",
    "/phones?search=Phone",
    "/calls/history?search=205",
    "/api/v1/extensions?limit=100",
    "/api/v1/extensions?limit=100&page=5",
    "/api/v1/extensions?search=Phone",
    "/api/v1/calls/history?limit=100",
    "/api/v1/calls/history?page=2000",
    "/api/v1/users?limit=100",
    "/api/v1/system/audit?limit=100",
    "/api/v1/system/revisions?limit=100",
)
# No page and no list: files to keep, sockets, what needs a one-time address, and the first run, which is over.
APART = re.compile(r"\.csv$|\.xml$|\.diff$|^/ws$|/events$|<token>|^/setup/|^/static/|^/login$|^/phones/ready$")


def addresses(served: Served) -> Iterator[str]:
    """Every page and every GET of the API that an administrator can ask for, with real ids in them."""
    app = create_app(served.settings)
    phone = served.api("GET", "/extensions?limit=1").body["data"][0]["id"]
    someone = served.api("GET", "/users").body["data"][0]["id"]
    revision = served.api("GET", "/system/revisions").body["data"][0]
    entry = served.api("GET", "/system/audit").body["data"][0]
    call = served.history()[0]["id"]
    ids = {"extension_id": phone, "user_id": someone, "call_id": call}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if "GET" not in (rule.methods or ()) or APART.search(rule.rule):
            continue
        number = revision.get("number", revision.get("id")) if "revision" in rule.endpoint else entry.get("id")
        path = rule.rule
        for converter, name in re.findall(r"<(?:(\w+):)?(\w+)>", path):
            value = str(number if name == "number" else ids[name])
            path = path.replace(f"<{converter}:{name}>" if converter else f"<{name}>", value)
        yield path
    yield from MORE


def test_every_page_and_list(full: Full) -> None:
    served = full.served
    browser = Browser(served).sign_in()

    def ask(path: str) -> int:
        if path.startswith("/api/"):
            return served.api("GET", path.removeprefix("/api/v1")).status
        return browser.get(path)[0]

    floor = median_seconds(lambda: browser.get("/favicon.ico"))
    taken = {}
    for path in addresses(served):
        assert ask(path) == 200, path
        taken[path] = median_seconds(lambda path=path: ask(path))  # type: ignore[misc]
    rows = [(path[:60], milliseconds(seconds)) for path, seconds in sorted(taken.items(), key=lambda item: -item[1])]
    table(
        f"Every page and list, 500 registered, slowest first ({len(rows)}; bar: 40 ms; as the client sees it)",
        [("floor: a small file", milliseconds(floor)), *rows],
    )
    assert max(taken.values()) <= PAGE_BAR


class Wire:
    """Counts what comes over the wire to a browser's page: heads and bodies as they are sent, and the WebSocket."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.bytes = 0
        session = context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._loaded)
        session.on("Network.webSocketFrameReceived", self._frame)

    def _loaded(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])

    def _frame(self, event: dict[str, Any]) -> None:
        self.bytes += len(event["response"]["payloadData"].encode())

    def visit(self, address: str) -> int:
        """Open a page and let it settle; the bytes that came."""
        before = self.bytes
        self.page.goto(address, wait_until="networkidle")
        self.page.wait_for_timeout(500)
        return self.bytes - before


def test_bytes_over_the_wire(full: Full) -> None:
    """A real browser that was never here signs in; then it comes back."""
    url = full.served.url
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        wire = Wire(chromium.new_context())
        wire.visit(f"{url}/login")
        wire.page.fill('input[name="email"]', EMAIL)
        wire.page.fill('input[name="password"]', PASSWORD)
        wire.page.press('input[name="password"]', "Enter")
        wire.page.wait_for_url(f"{url}/")
        wire.page.wait_for_load_state("networkidle")
        wire.page.wait_for_timeout(500)
        first = wire.bytes
        pages = ("/", "/phones", "/calls", "/calls/history", "/calls/statistics", "/people", "/system")
        fresh = {path: wire.visit(url + path) for path in pages}
        later = {path: wire.visit(url + path) for path in pages}
        chromium.close()
    largest = max(later, key=lambda path: later[path])
    table(
        "Over the wire, to a real browser (bars: first visit 400 kB, later visits 40 kB)",
        [
            ("first visit: sign-in page, signing in, overview", f"{first / 1000:.1f} kB"),
            ("the overview again", f"{later['/'] / 1000:.1f} kB"),
            ("every other page for the first time, together", f"{(sum(fresh.values()) - fresh['/']) / 1000:.1f} kB"),
            (f"the largest page again: {largest}", f"{later[largest] / 1000:.1f} kB"),
        ],
    )
    assert first <= FIRST_BAR
    assert later[largest] <= LATER_BAR


def test_pages_while_eight_clients_ask_for_statistics(full: Full) -> None:
    served = full.served
    browser = Browser(served).sign_in()

    def sample(count: int) -> list[float]:
        return [timed(lambda: browser.get("/")) for _ in range(count)]

    sample(10)
    idle = percentile(sample(100), 0.95)
    stop, answers = threading.Event(), [0] * 8

    def ask(place: int) -> None:
        while not stop.is_set():
            if served.api("GET", "/calls/statistics").status == 200:
                answers[place] += 1

    clients = [threading.Thread(target=ask, args=(place,)) for place in range(8)]
    for client in clients:
        client.start()
    time.sleep(1)
    busy = percentile(sample(100), 0.95)
    stop.set()
    for client in clients:
        client.join()
    table(
        "Page p95 while eight clients ask for statistics (bar: 10 times idle, nobody starved)",
        [
            ("floor: p95 of the overview, idle", milliseconds(idle)),
            ("busy", milliseconds(busy)),
            ("times", f"{busy / idle:.1f}"),
            ("answers of the slowest and the fastest client", f"{min(answers)} / {max(answers)}"),
        ],
    )
    assert busy <= TIMES_BAR * idle
    assert min(answers) * 2 >= max(answers)
