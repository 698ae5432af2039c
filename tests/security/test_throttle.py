"""The slow-down of one account that cannot lock its owner out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.security import throttle
from pbxweb.security.errors import TooMany
from pbxweb.security.throttle import Throttle
from tests.conftest import PASSWORD, Person, send


def test_an_address_that_keeps_failing_on_an_attacked_account_waits_longer_and_longer(
    plain_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now)
    guard = Throttle()
    waits = []
    with plain_app.test_request_context():
        for _ in range(25):
            try:
                guard.check("a", "1.1.1.1")
            except TooMany as refusal:
                waits.append(refusal.retry_after)
                now += refusal.retry_after + 1
                guard.check("a", "1.1.1.1")
            guard.failed("a", "1.1.1.1")
        assert waits == sorted(waits)
        assert waits[-1] == throttle.LONGEST_WAIT
        guard.check("a", "2.2.2.2")
        guard.check("b", "1.1.1.1")
        now += throttle.FORGET_AFTER
        guard.check("a", "1.1.1.1")


def test_it_remembers_a_bounded_number_of_addresses() -> None:
    guard = Throttle()
    for number in range(throttle.REMEMBERED):
        guard.failed("a", str(number))
    assert len(guard._failures) <= throttle.REMEMBERED


def _attack(app: Flask, email: str, address: str, times: int) -> list[int]:
    client = app.test_client()
    wrong = {"email": email, "password": "wrong-password"}
    where = {"REMOTE_ADDR": address}
    return [send(client, "/login", wrong, environ_base=where).status_code for _ in range(times)]


def test_the_owner_gets_in_while_the_account_is_under_attack(
    app: Flask, client: FlaskClient, person: Callable[..., Person]
) -> None:
    someone = person("user")
    right = {"email": someone.email, "password": PASSWORD}
    home = {"REMOTE_ADDR": "192.0.2.7"}
    assert send(client, "/login", right, environ_base=home).status_code == 303
    send(client, "/logout", environ_base=home)
    statuses = [s for n in range(1, 6) for s in _attack(app, someone.email, f"203.0.113.{n}", 8)]
    assert 429 in statuses
    # from another place, with the browser that was here before, whose address is being abused, too
    known = {"REMOTE_ADDR": "203.0.113.5"}
    assert send(client, "/login", right, environ_base=known).status_code == 303
    # with a new browser at an address that has done no harm
    fresh = {"REMOTE_ADDR": "198.51.100.1"}
    assert send(app.test_client(), "/login", right, environ_base=fresh).status_code == 303
    # a new browser at an abused address waits
    abused = {"REMOTE_ADDR": "203.0.113.4"}
    assert send(app.test_client(), "/login", right, environ_base=abused).status_code == 429


def test_an_unknown_account_is_slowed_down_just_the_same(app: Flask, admin: Person) -> None:
    addresses = count(1)
    statuses = [s for _ in range(4) for s in _attack(app, "nobody@example.com", f"203.0.113.{next(addresses)}", 8)]
    assert 429 in statuses
