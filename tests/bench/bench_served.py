"""The served product with 500 phones: start, memory, pages, bytes over the wire, and the cost of a call."""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxweb.settings import CHECKOUT
from tests.asterisk.sipuser import SipUser
from tests.bench.tables import median_seconds, milliseconds, percentile, table
from tests.served import EMAIL, PASSWORD, Served

PAGES = (
    "/",
    "/phones",
    "/calls",
    "/calls/history",
    "/calls/statistics",
    "/people",
    "/system",
    "/system/changes",
    "/system/audit",
    "/profile",
)
LISTS = ("/extensions?limit=100", "/calls", "/calls/history", "/users", "/system/stats", "/system/revisions")


class Browser:
    """A signed-in person's connection that counts the bytes of each answer."""

    def __init__(self, served: Served) -> None:
        self.connection = http.client.HTTPConnection(served.settings.http.host, served.settings.http.port, timeout=30)
        self.cookies: dict[str, str] = {}
        self.wire = 0

    def get(self, path: str, body: str | None = None) -> tuple[int, bytes]:
        """One request; the status and the body as it came over the wire."""
        headers = {"Accept-Encoding": "gzip", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request("GET" if body is None else "POST", path, body, headers)
        response = self.connection.getresponse()
        data = response.read()
        self.wire += len(data) + sum(len(k) + len(v) + 4 for k, v in response.getheaders())
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        return response.status, data

    def sign_in(self) -> Browser:
        """Through the page, as a person does."""
        import gzip
        from urllib.parse import urlencode

        _status, data = self.get("/login")
        html = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', html)
        assert token, html
        status, _ = self.get("/login", urlencode({"csrf_token": token[1], "email": EMAIL, "password": PASSWORD}))
        assert status in (302, 303)
        return self


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, list[SipUser]]]:
    """An instance with 500 phones, all of them registered."""
    served = Served(tmp_path_factory.mktemp("bench") / "var").start()
    phones: list[SipUser] = []
    try:
        served.set_up(phones=0, digits=4)
        wanted = {"firstNumber": "2000", "count": 500, "namePattern": "Phone {number}"}
        made = served.api("POST", "/extensions/bulk", wanted)
        assert made.status == 201, made
        for row in made.body["data"]:
            phones.append(SipUser(row["number"], served.settings.sip_bind.port, password=row["sipPassword"]))
            assert phones[-1].register(expires=3600) == 200
        yield served, phones
    finally:
        for phone in phones:
            phone.close()
        served.close()


def pss(pids: list[int]) -> float:
    """The proportional memory of processes in MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def test_start_and_idle_memory_with_100_phones(tmp_path: Path) -> None:
    served = Served(tmp_path / "var").start()
    try:
        served.set_up(phones=0)
        served.api("POST", "/extensions/bulk", {"firstNumber": "200", "count": 100, "namePattern": "Phone {number}"})
        starts = []
        for _ in range(5):
            served.stop()
            began = time.perf_counter()
            served.start()
            starts.append(time.perf_counter() - began)
        Browser(served).sign_in().get("/")
        time.sleep(20)
        engine = served.engine().status().pid
        assert engine
        web, asterisk = pss(served.processes()), pss([engine])
        libraries = float(
            subprocess.run(
                [sys.executable, "-c", FLOOR], cwd=CHECKOUT, capture_output=True, text=True, check=True
            ).stdout
        )
        bare = median_seconds(lambda: subprocess.run([sys.executable, "-c", IMPORTS], cwd=CHECKOUT, check=True), 5)
    finally:
        served.close()
    table(
        "Start to the ready line (bar: 2.5 s)",
        [("floor: the libraries' imports", milliseconds(bare)), ("start", milliseconds(statistics.median(starts)))],
    )
    table(
        "Idle memory, PSS, 100 extensions (bars: web 85 MB, Asterisk 55 MB)",
        [
            ("floor: the libraries alone", f"{libraries:.0f} MB"),
            ("web", f"{web:.1f} MB"),
            ("Asterisk", f"{asterisk:.1f} MB"),
        ],
    )


IMPORTS = (
    "import flask, flask_login, flask_sqlalchemy, flask_wtf, flask_sock, htmx_flask, gunicorn.app.base, bcrypt, "
    "apscheduler, flask_babel, jwt, flask_limiter, flask_smorest, marshmallow, phonenumbers"
)
FLOOR = (
    IMPORTS + "\nprint(sum(int(l.split()[1]) for l in open('/proc/self/smaps_rollup') if l.startswith('Pss:')) / 1024)"
)


def test_pages_and_lists(house: tuple[Served, list[SipUser]]) -> None:
    served, _phones = house
    browser = Browser(served).sign_in()
    floor = median_seconds(lambda: browser.get("/favicon.ico"))
    rows = [("floor: a file", milliseconds(floor))]
    slowest = 0.0
    for path in PAGES:
        status, _ = browser.get(path)
        assert status == 200, path
        taken = median_seconds(lambda path=path: browser.get(path))
        slowest = max(slowest, taken)
        rows.append((path, milliseconds(taken)))
    for path in LISTS:
        taken = median_seconds(lambda path=path: served.api("GET", path))
        slowest = max(slowest, taken)
        rows.append((f"/api/v1{path}", milliseconds(taken)))
    table("Any page or list, 500 extensions registered (bar: 40 ms)", [*rows, ("slowest", milliseconds(slowest))])


def test_bytes_over_the_wire(house: tuple[Served, list[SipUser]]) -> None:
    served, _phones = house
    browser = Browser(served).sign_in()
    browser.wire = 0
    import gzip

    _status, page = browser.get("/")
    later = browser.wire
    html = (gzip.decompress(page) if page[:2] == b"\x1f\x8b" else page).decode()
    assets = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', html))
    for asset in assets:
        assert browser.get(asset)[0] == 200
    table(
        "Over the wire (bars: first visit 400 kB, later visits 40 kB)",
        [
            ("floor: the assets alone", f"{(browser.wire - later) / 1000:.1f} kB"),
            ("first visit", f"{browser.wire / 1000:.1f} kB"),
            ("later visits", f"{later / 1000:.1f} kB"),
        ],
    )


def test_pages_while_eight_clients_ask_for_statistics(house: tuple[Served, list[SipUser]]) -> None:
    served, _phones = house
    browser = Browser(served).sign_in()

    def sample(count: int) -> list[float]:
        return [median_seconds(lambda: browser.get("/"), 1) for _ in range(count)]

    idle = percentile(sample(60), 0.95)
    stop, served_counts = threading.Event(), [0] * 8

    def ask(place: int) -> None:
        while not stop.is_set():
            if served.api("GET", "/calls/statistics").status == 200:
                served_counts[place] += 1

    clients = [threading.Thread(target=ask, args=(place,)) for place in range(8)]
    for client in clients:
        client.start()
    time.sleep(1)
    busy = percentile(sample(60), 0.95)
    stop.set()
    for client in clients:
        client.join()
    table(
        "Page p95 while eight clients ask for statistics (bar: 10 times idle, nobody starved)",
        [
            ("floor: idle", milliseconds(idle)),
            ("busy", milliseconds(busy)),
            ("times", f"{busy / idle:.1f}"),
            ("answers of the slowest and the fastest client", f"{min(served_counts)} / {max(served_counts)}"),
        ],
    )
    assert min(served_counts) > 0


def test_asterisk_cpu_of_a_call(house: tuple[Served, list[SipUser]]) -> None:
    """Through our dialplan, beside a dialplan of two lines that is added to the same Asterisk."""
    served, phones = house
    engine = served.engine()
    caller, called = phones[0], phones[1]
    for line in (f"9001,1,Dial(PJSIP/{called.number})", "9001,2,Hangup()"):
        engine.cli(f"dialplan add extension {line} into pbxweb-phones")
    pid = engine.status().pid
    assert pid

    def spent() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def calls(number: str, count: int = 100) -> float:
        before = spent()
        for _ in range(count):
            dialog = caller.invite(number)
            assert dialog.final is not None
            assert dialog.final.status == 200, dialog.final
            caller.bye(dialog)
        time.sleep(0.5)
        return (spent() - before) / count

    called.reply = (180, 200)
    plain, ours = [], []
    for _ in range(3):
        plain.append(calls("9001"))
        ours.append(calls(called.number))
    floor, mine = statistics.median(plain), statistics.median(ours)
    table(
        "Asterisk CPU of a phone-to-phone call (bar: 1.3 times a two-line dialplan)",
        [
            ("floor: two lines", milliseconds(floor)),
            ("through our dialplan", milliseconds(mine)),
            ("times", f"{mine / floor:.2f}"),
        ],
    )
