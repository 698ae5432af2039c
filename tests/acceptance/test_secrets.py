"""Secrets stay where they belong: no list, log, page, audit row or difference ever shows one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from pbxweb import create_app
from pbxweb.extensions.conf import digest_of
from tests.served import PASSWORD, Served
from tests.visitor import Visitor

SIP_PASSWORD = "Nobody-Reads-This-1"
SECOND = "Nor-May-They-Read-This-2"
PROGRAM_PAGES = ("/openapi.json", "/docs")


@pytest.fixture
def lived_in(served: Served) -> Served:
    """Phones made, renamed, given another password and deleted, by people and with revisions to show for it."""
    served.set_up(phones=1)
    made = served.api("POST", "/extensions", {"number": "250", "displayName": "A", "sipPassword": SIP_PASSWORD})
    assert made.status == 201, made
    path = f"/extensions/{made.body['id']}"
    for change in ({"displayName": "B"}, {"sipPassword": SECOND}, {"dndEnabled": True}):
        assert served.api("PATCH", path, change).status == 200
    gone = served.api("POST", "/extensions", {"number": "251", "displayName": "C", "sipPassword": SECOND})
    assert served.api("DELETE", f"/extensions/{gone.body['id']}").status == 204
    return served


def _secrets(served: Served) -> dict[str, str]:
    with closing(sqlite3.connect(served.settings.database)) as database:
        (hashed,) = database.execute("SELECT password_hash FROM users").fetchone()
    return {
        "the first SIP password": SIP_PASSWORD,
        "the second SIP password": SECOND,
        "a digest": digest_of("250", SIP_PASSWORD),
        "the digest in use": digest_of("250", SECOND),
        "a deleted phone's digest": digest_of("251", SECOND),
        "a person's password": PASSWORD,
        "a person's password's hash": hashed,
    }


def _shown(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def test_no_page_and_no_answer_shows_a_secret(lived_in: Served) -> None:
    secrets = _secrets(lived_in)
    seen = 0
    for url, text in Visitor(lived_in).every_page():
        assert _shown(secrets, text) == [], url
        seen += 1
    assert seen > 20
    for rule in _lists(lived_in):
        answer = lived_in.api("GET", rule)
        assert _shown(secrets, str(answer.body)) == [], rule


def _lists(served: Served) -> list[str]:
    app: Flask = create_app(served.settings)
    rules = [r.rule for r in app.url_map.iter_rules() if "GET" in (r.methods or ()) and r.rule.startswith("/api/v1/")]
    found = [path for rule in rules if "<" not in rule and (path := rule.removeprefix("/api/v1")) not in PROGRAM_PAGES]
    details = [f"/extensions/{row['id']}" for row in served.api("GET", "/extensions").body["data"]]
    revisions = [f"/system/revisions/{row['number']}" for row in served.api("GET", "/system/revisions").body["data"]]
    assert len(revisions) >= 5
    return [*found, *details, *revisions]


def test_no_log_and_no_row_keeps_a_secret(lived_in: Served) -> None:
    secrets = _secrets(lived_in)
    lived_in.stop()
    assert _shown(secrets, "\n".join(lived_in.lines)) == []
    logs = [path for path in (lived_in.home / "asterisk" / "log").iterdir() if path.is_file()]
    assert logs
    for path in logs:
        assert _shown(secrets, path.read_bytes().decode(errors="replace")) == [], path
    with closing(sqlite3.connect(lived_in.settings.database)) as database:
        for table in ("audit_entries", "revisions", "system_settings", "sign_ins"):
            rows = str(database.execute(f"SELECT * FROM {table}").fetchall())
            assert _shown(secrets, rows) == [], table
        kept = str(database.execute("SELECT sip_password FROM extensions").fetchall())
    assert SECOND not in kept


def test_what_must_hold_a_secret_is_the_owners_alone(lived_in: Served) -> None:
    holders = [
        lived_in.settings.database,
        *lived_in.settings.asterisk_etc.iterdir(),
        *lived_in.settings.secrets.iterdir(),
    ]
    for path in holders:
        assert _mode(path) & 0o077 == 0, path
    for folder in (lived_in.home, lived_in.settings.secrets, lived_in.settings.asterisk_etc):
        assert _mode(folder) & 0o077 == 0, folder


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
