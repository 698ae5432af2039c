"""A whole application on a real SQLite file, and people who use it.

``app`` has no Asterisk: what a change renders is written to files and nobody reloads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event
from werkzeug.test import TestResponse

from pbxweb.extensions.models import Extension
from pbxweb.security import passwords, sessions, tokens
from pbxweb.security.roles import Role
from pbxweb.settings import Settings
from pbxweb.storage.database import db, new_id
from pbxweb.users.models import Status, User

PASSWORD = "correct-horse-battery"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a failure: what Asterisk and the phones said; nobody can ask them later."""
    report = yield
    if report.failed and report.when == "call":
        said = {}
        for given in getattr(item, "funcargs", {}).values():
            said |= {f"phone {phone.number}": phone.log() for phone in getattr(given, "all", ())}
            home = getattr(getattr(given, "settings", None), "home", None)
            for path in sorted(home.glob("asterisk/log/messages*")) if home else ():
                said[path.name] = "\n".join(path.read_text(errors="replace").splitlines()[-60:])
        report.sections.extend(said.items())
    return report


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt at its lowest cost: 1 ms instead of 120."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture(scope="session")
def plain_app() -> Flask:
    """An application that can only translate: what needs no database runs in its request context."""
    app = Flask("plain")
    Babel(app)
    return app


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An instance of its own below ``tmp_path``; its rates are no hurdle, because a test is faster than a person."""
    rates = dict.fromkeys(("rate_login", "rate_api", "rate_calls"), "1000000/minute")
    return Settings(home=tmp_path / "home", **rates)


def make_app(settings: Settings) -> Flask:
    """The application of ``settings`` with all of its tables."""
    from pbxweb import create_app

    app = create_app(settings)
    app.config["TESTING"] = True
    with app.app_context():
        db.create_all()
    return app


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The whole application; no context is pushed, so that requests stay apart."""
    app = make_app(settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody has signed in with."""
    return app.test_client()


@dataclass(frozen=True)
class Person:
    """A person who is in the database."""

    id: str
    email: str
    role: Role


@pytest.fixture
def person(app: Flask) -> Callable[..., Person]:
    """Makes people: ``person("agent", email=…, status=…, password=…)``; the password is ``PASSWORD`` unless given."""
    count = 0

    def make(role: str = "user", *, email: str = "", password: str | None = PASSWORD, **more: Any) -> Person:
        nonlocal count
        count += 1
        with app.app_context():
            row = User(
                email=email or f"{role}{count}@example.com",
                role=Role(role).value,
                password_hash=passwords.hash_password(password) if password else None,
                **{"first_name": role.capitalize(), "last_name": str(count), "status": Status.ACTIVE.value, **more},
            )
            db.session.add(row)
            db.session.commit()
            return Person(row.id, row.email, Role(role))

    return make


@pytest.fixture
def admin(person: Callable[..., Person]) -> Person:
    """An administrator."""
    return person("admin", email="admin@example.com")


def csrf_token(client: FlaskClient) -> str:
    """A token of this browser's visit, as every form of the pages carries it."""
    with client.session_transaction() as visit:
        raw = visit.setdefault("csrf_token", "0" * 40)
    signer = URLSafeTimedSerializer(client.application.secret_key or b"", salt="wtf-csrf-token")
    return str(signer.dumps(raw))


def send(client: FlaskClient, url: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
    """Send a form of the pages, with its token."""
    return client.post(url, data={**(data or {}), "csrf_token": csrf_token(client)}, **more)


@pytest.fixture
def sign_in(app: Flask) -> Callable[[FlaskClient, Person], None]:
    """Signs a browser in without its form: ``sign_in(client, person)``."""

    def enter(client: FlaskClient, person: Person) -> None:
        with app.app_context():
            opened = sessions.open_page(person.id, app.extensions["pbxweb.settings"], "127.0.0.1", "test")
            db.session.commit()
        with client.session_transaction() as visit:
            visit["_user_id"] = opened.secret
            visit.permanent = True

    return enter


class ApiClient:
    """A program with an access token (or none): ``get post put patch delete`` with paths below ``/api/v1``."""

    def __init__(self, client: FlaskClient, token: str = "", person: Person | None = None) -> None:
        self.client = client
        self.token = token
        self.person = person

    def call(self, method: str, path: str, json: Any = None, **more: Any) -> TestResponse:
        """One request."""
        headers = {**more.pop("headers", {}), **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        body = {} if json is None else {"json": json}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **body, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("POST", path, json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("PUT", path, json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self.call("PATCH", path, json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.call("DELETE", path, **more)


@pytest.fixture
def api(app: Flask, person: Callable[..., Person]) -> Callable[..., ApiClient]:
    """Makes programs: ``api("admin")`` for a new person, ``api(of=someone)``, ``api()`` without a token."""

    def make(role: str = "", *, of: Person | None = None) -> ApiClient:
        someone = of or (person(role) if role else None)
        if someone is None:
            return ApiClient(app.test_client(use_cookies=False))
        with app.app_context():
            sign_in_id = new_id()
            pair = tokens.issue(someone.id, sign_in_id)
            sessions.open_api(someone.id, pair.refresh_hash, address="127.0.0.1", client="test", row_id=sign_in_id)
            db.session.commit()
        return ApiClient(app.test_client(use_cookies=False), pair.access_token, someone)

    return make


@pytest.fixture
def phone(app: Flask) -> Callable[..., str]:
    """Makes phones in the database alone: ``phone("201", "Anna", user_id)``; returns the number."""

    def make(number: str, name: str = "", user_id: str | None = None) -> str:
        with app.app_context():
            row = Extension(
                number=number,
                display_name=name or f"Phone {number}",
                user_id=user_id,
                sip_password="x" * 16,
                sip_digest="0" * 32,
            )
            db.session.add(row)
            db.session.commit()
        return number

    return make


@contextmanager
def counted_queries(app: Flask) -> Iterator[list[str]]:
    """The SELECT statements that run inside the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if re.match(r"\s*SELECT", statement):
            seen.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
