"""Ten thousand wrong log-ins from one address, against a real server."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import bcrypt
import pytest
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from pbxweb.settings import Settings
from pbxweb.storage.database import db
from tests.conftest import PASSWORD, Person, make_app

ATTACKER, OTHER = "127.0.0.66", "127.0.0.77"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The default limit of signing in."""
    return replace(settings, rate_login=Settings.rate_login, rate_api="1000000/minute")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application, whose users talk to it over TCP."""
    app = make_app(settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def server(app: Flask) -> Iterator[BaseWSGIServer]:
    """A real server with a thread for each connection."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def _login(port: int, source: str, password: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    try:
        body = json.dumps({"email": "admin@example.com", "password": password})
        connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.timeout(170)
def test_at_most_ten_a_minute_are_evaluated_and_others_notice_nothing(
    server: BaseWSGIServer, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[float] = []
    real = bcrypt.checkpw

    def check(plain: bytes, hashed: bytes) -> bool:
        evaluated.append(time.monotonic())
        return real(plain, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", check)
    left = iter(range(10_000))
    statuses: Counter[int] = Counter()
    taking = threading.Lock()

    def attack() -> None:
        while True:
            with taking:
                number = next(left, None)
            if number is None:
                return
            status = _login(server.port, ATTACKER, f"wrong-{number}")
            with taking:
                statuses[status] += 1

    attackers = [threading.Thread(target=attack) for _ in range(8)]
    for attacker in attackers:
        attacker.start()
    others = []
    while any(attacker.is_alive() for attacker in attackers):
        if len(others) < 4:
            others.append(_login(server.port, OTHER, PASSWORD))
        time.sleep(0.2)
    for attacker in attackers:
        attacker.join(10)
    theirs = sorted(evaluated)
    assert sum(statuses.values()) == 10_000
    assert set(statuses) == {401, 429}
    for start in theirs:
        assert sum(start <= moment < start + 60 for moment in theirs) <= 10 + len(others)
    assert statuses[401] <= 10 * (1 + (theirs[-1] - theirs[0]) / 60)
    assert others == [200] * len(others)
    assert others
