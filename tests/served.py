"""The product as its owner starts it: ``app.py run`` in a process of its own, on free ports, with a real Asterisk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pbxweb.asterisk.engine import PrivateEngine
from pbxweb.settings import CHECKOUT, load
from tests.asterisk.pbx import HOST, free_ports, free_range, until

EMAIL, PASSWORD = "ada@example.org", "correct-horse-battery"


@dataclass
class Answer:
    """What the API answered."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Served:
    """One instance below ``home``. Rates are lifted unless given, because a test is faster than a person."""

    def __init__(self, home: Path, engine_dir: Path | None = None, *, rtp_ports: int = 120, **settings: str) -> None:
        sip, tls, ami, http = free_ports(count=4)
        given = {
            "home": str(home),
            "engine_dir": str(engine_dir or CHECKOUT / "var" / "engine"),
            "http": f"{HOST}:{http}",
            "sip_bind": f"{HOST}:{sip}",
            "sip_tls_port": str(tls),
            "rtp": str(free_range(rtp_ports)),
            "ami_port": str(ami),
            "rate_login": "10000/minute",
            "rate_api": "100000/minute",
            "rate_calls": "100000/minute",
        } | settings
        self.environment = {f"PBXWEB_{name.upper()}": value for name, value in given.items()}
        self.settings = load(self.environment)
        self.home = home
        self.url = self.settings.url
        self.code = ""
        self.token = ""
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    # --- its life ---

    @property
    def pid(self) -> int:
        """The process that was started: the parent of the one that serves."""
        assert self._process is not None
        return self._process.pid

    def start(self, timeout: float = 60.0) -> Served:
        """Start and wait for the ready line. Tells the setup code, if one is printed, in ``code``."""
        self.lines = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PBXWEB_")}
        self._process = subprocess.Popen(
            [sys.executable, "app.py", "run"],
            cwd=CHECKOUT,
            env=environment | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        until(self._ready, timeout, f"the ready line; so far: {self.lines}")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None or any("ready" in line for line in self.lines), "\n".join(self.lines)
        return any(line.startswith("pbxweb ready: ") for line in self.lines)

    def setup_code(self) -> str:
        """The one-time code that the start printed."""
        pattern = re.compile(r"\b([A-Z0-9]{4}(?:-[A-Z0-9]{4})+|\d{6,})\b")
        return until(
            lambda: next((m[1] for line in self.lines if "code" in line.lower() and (m := pattern.search(line))), ""),
            what="the setup code",
        )

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def processes(self) -> list[int]:
        """The web's processes that live: the parent and the one that serves."""
        listing = subprocess.run(
            ["ps", "-o", "pid=,stat=", "-s", str(self.pid)], capture_output=True, text=True, check=False
        ).stdout
        return [int(line.split()[0]) for line in listing.splitlines() if "Z" not in line.split()[1]]

    def kill_web(self) -> None:
        """kill -9 of everything that is the web; Asterisk is left alone."""
        assert self._process is not None
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(30)
        until(lambda: not self.processes(), what="the web to be gone")

    def kill_worker(self) -> None:
        """kill -9 of the process that serves alone; its parent starts another."""
        for pid in self.processes():
            if pid != self.pid:
                os.kill(pid, signal.SIGKILL)

    def engine(self) -> PrivateEngine:
        """This instance's Asterisk."""
        return PrivateEngine(self.settings)

    def complaints(self) -> list[str]:
        """The warnings and errors in Asterisk's log that the handbook does not explain."""
        handbook = (CHECKOUT / "docs" / "handbook" / "running.md").read_text(encoding="utf-8")
        explained = [re.compile(words) for words in re.findall(r"^\| `/(.+?)/` \|", handbook, re.MULTILINE)]
        log = self.settings.asterisk / "log" / "messages.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        bad = [line for line in lines if re.search(r"\] (WARNING|ERROR)\[", line)]
        return [line for line in bad if not any(words.search(line) for words in explained)]

    def close(self) -> None:
        """End all that may still live."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait(5)
        self.engine().stop()

    # --- its API ---

    def api(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, timeout: float = 30.0
    ) -> Answer:
        """One request below ``/api/v1``; never raises for a refusal."""
        headers = {"Content-Type": "application/json"}
        bearer = self.token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return _answer(response.status, response.read(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return _answer(error.code, error.read(), dict(error.headers))

    def set_up(self, phones: int = 2, digits: int = 3) -> list[dict[str, Any]]:
        """The first run through the API alone; the phones that it made, with their passwords. Signs in."""
        answer = self.api(
            "POST",
            "/setup",
            {
                "code": self.setup_code(),
                "language": "en",
                "email": EMAIL,
                "password": PASSWORD,
                "country": "DE",
                "areaCode": "30",
                "numberPlan": digits,
                "phones": phones,
            },
        )
        assert answer.status == 201, answer
        self.sign_in()
        made: list[dict[str, Any]] = answer.body["phones"]
        return made

    def sign_in(self) -> None:
        """Get an access token for the administrator."""
        answer = self.api("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD}, token="")
        assert answer.status == 200, answer
        self.token = answer.body["tokens"]["accessToken"]

    def history(self) -> list[dict[str, Any]]:
        """The newest hundred ended calls."""
        answer = self.api("GET", "/calls/history?limit=100")
        assert answer.status == 200, answer
        data: list[dict[str, Any]] = answer.body["data"]
        return data

    def wait_online(self, timeout: float = 30.0) -> None:
        """Until pbxweb says that Asterisk answers it."""
        until(
            lambda: self.api("GET", "/system/status", token="").body["services"]["sip"] == "healthy",
            timeout,
            "Asterisk",
        )


def _answer(status: int, data: bytes, headers: dict[str, str]) -> Answer:
    try:
        body = json.loads(data) if data else None
    except ValueError:
        body = data.decode(errors="replace")
    return Answer(status, body, headers)
