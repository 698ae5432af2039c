"""The audit trail as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from pbxweb.changes import changing
from pbxweb.security import audit
from pbxweb.security.roles import device
from pbxweb.storage.database import begin_write, db, utcnow
from pbxweb.users.models import User


@pytest.fixture
def trail(app: Flask) -> Iterator[None]:
    """Twelve lines: ten of calls, two of people."""
    with app.app_context():
        begin_write()
        for number in range(10):
            audit.record(device("job"), "call.hangup", f"call {number}")
        audit.record(device("Ada"), "user.create", "tom@example.com")
        audit.record(device("Ada"), "user.delete", "100%@example.com")
        db.session.commit()
        yield


@pytest.mark.usefixtures("trail")
def test_it_is_read_page_by_page_from_the_newest() -> None:
    seen: list[int] = []
    before = None
    while page := audit.entries(before_id=before, limit=5):
        seen += [line.id for line in page]
        before = page[-1].id
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 12


@pytest.mark.usefixtures("trail")
def test_it_is_narrowed_by_verb_words_and_time() -> None:
    assert [line.action for line in audit.entries(action="user.")] == ["user.delete", "user.create"]
    assert [line.subject for line in audit.entries(search="TOM")] == ["tom@example.com"]
    assert [line.subject for line in audit.entries(search="%")] == ["100%@example.com"]
    assert len(audit.entries(search="ada")) == 2
    later = utcnow() + timedelta(minutes=1)
    assert audit.entries(since=later) == []
    assert len(audit.entries(until=later)) == 12


def test_a_change_shows_what_was_and_what_is_with_secrets_masked(app: Flask) -> None:
    with app.app_context():
        with changing(device("Ada"), "user.create", "tom@example.com"):
            db.session.add(User(email="tom@example.com", first_name="Tom", password_hash="$2b$04$secret"))
        with changing(device("Ada"), "user.update", "tom@example.com"):
            user = db.session.query(User).one()
            user.first_name, user.password_hash = "Thomas", "$2b$04$other"
        newest, _ = audit.entries()
        ((_, fields),) = newest.changes.items()
        assert fields == {"first_name": ["Tom", "Thomas"], "password_hash": ["***", "***"]}
