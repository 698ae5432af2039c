"""Start to the ready line, and the memory of what then does nothing."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from pbxweb.settings import CHECKOUT
from tests.bench.people import Browser
from tests.bench.tables import milliseconds, table, timed
from tests.served import Served

IMPORTS = (
    "import flask, flask_login, flask_sqlalchemy, flask_wtf, flask_sock, htmx_flask, gunicorn.app.base, bcrypt, "
    "apscheduler, flask_babel, jwt, flask_limiter, flask_smorest, marshmallow, phonenumbers"
)
FLOOR = (
    IMPORTS + "\nprint(sum(int(l.split()[1]) for l in open('/proc/self/smaps_rollup') if l.startswith('Pss:')) / 1024)"
)
START_BAR, WEB_BAR, ASTERISK_BAR = 2.5, 85, 55


def pss(pids: list[int]) -> float:
    """The proportional memory of processes in MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def make_run(served: Served) -> float:
    """Seconds from ``make run`` to its ready line. Raises AssertionError where the set-up was not done before."""
    # Not what the `make bench` around this says to its own makes.
    inherited = ("PBXWEB_", "MAKE", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
    ask = ["make", "-n", "run"]
    due = subprocess.run(ask, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout
    assert len(due.splitlines()) == 2, f"the set-up is due (`make bench` does it first): {due}"
    began = time.perf_counter()
    running = subprocess.Popen(
        ["make", "run"],
        cwd=CHECKOUT,
        env=environment | served.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert running.stdout is not None
        assert any(line.startswith("pbxweb ready: ") for line in running.stdout)
        return time.perf_counter() - began
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.communicate(timeout=10)


def test_start(tmp_path: Path) -> None:
    served = Served(tmp_path / "var").start()
    try:
        served.set_up(phones=0)
        served.api("POST", "/extensions/bulk", {"firstNumber": "200", "count": 100, "namePattern": "Phone {number}"})
        starts, makes, floors = [], [], []
        for _ in range(5):
            served.stop()
            starts.append(timed(served.start))
            served.stop()
            makes.append(make_run(served))
            floors.append(timed(lambda: subprocess.run([sys.executable, "-c", IMPORTS], cwd=CHECKOUT, check=True)))
            served.start()
    finally:
        served.close()
    ours = statistics.median(makes)
    table(
        "Start to the ready line, 100 phones, set-up done before (bar: 2.5 s)",
        [
            ("floor: the libraries' imports", milliseconds(statistics.median(floors))),
            ("python app.py run", milliseconds(statistics.median(starts))),
            ("make run", milliseconds(ours)),
            ("slowest", milliseconds(max(makes))),
        ],
    )
    assert ours <= START_BAR


def test_idle_memory(tmp_path: Path) -> None:
    """Pages that several processes share are counted in parts, so nothing else of pbxweb may run meanwhile."""
    served = Served(tmp_path / "var").start()
    try:
        served.set_up(phones=0)
        engine = served.engine().status().pid
        assert engine
        empty = pss([engine])
        served.api("POST", "/extensions/bulk", {"firstNumber": "200", "count": 100, "namePattern": "Phone {number}"})
        served.stop()
        served.start()
        Browser(served).sign_in().html("/")
        time.sleep(20)
        engine = served.engine().status().pid
        assert engine
        web, asterisk = pss(served.processes()), pss([engine])
        browser = Browser(served).sign_in()
        for path in ("/phones", "/calls/history", "/system"):
            browser.html(path)
        served.sign_in()
        served.api("GET", "/extensions?limit=100")
        used = pss(served.processes())
    finally:
        served.close()
    said = subprocess.run([sys.executable, "-c", FLOOR], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    table(
        "Idle memory, PSS, 100 extensions (bars: web 85 MB, Asterisk 55 MB)",
        [
            ("floor: the libraries alone", f"{float(said.stdout):.1f} MB"),
            ("web (parent and server)", f"{web:.1f} MB"),
            ("web after three more pages and the API", f"{used:.1f} MB"),
            ("floor: Asterisk without a phone", f"{empty:.1f} MB"),
            ("Asterisk", f"{asterisk:.1f} MB"),
        ],
    )
    assert max(web, used) <= WEB_BAR
    assert asterisk <= ASTERISK_BAR
