"""One transaction, audited, everything or nothing: on a real database file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask

from pbxweb.changes import Change, RowImage, changing, stored_rows
from pbxweb.extensions.models import Extension
from pbxweb.security.audit import AuditEntry
from pbxweb.security.errors import Conflict, Refused, Unavailable
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import Settings
from pbxweb.storage import database
from pbxweb.storage.database import db
from pbxweb.storage.secrets import Vault
from pbxweb.users.models import User
from pbxweb.web import languages

ADMIN = Actor("Ada Admin", Role.ADMIN, "00000000-0000-0000-0000-00000000000a", via="api", address="127.0.0.9")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings = Settings(home=tmp_path)
    app = Flask("pbxweb")
    app.extensions["pbxweb.settings"] = settings
    app.extensions["pbxweb.root"] = tmp_path
    app.extensions["pbxweb.vault"] = Vault(settings.secrets)
    languages.init_app(app)
    database.init_app(app, settings)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.engine.dispose()


def phone(number: str = "200", **more: object) -> Extension:
    given = {"display_name": "Anna", "sip_password": "a-secret-word", "sip_digest": "d" * 32} | more
    return Extension(number=number, **given)


def user(email: str = "anna@example.com") -> User:
    return User(email=email, first_name="Anna", password_hash="a-hash")


def trail() -> list[AuditEntry]:
    return list(db.session.query(AuditEntry).order_by(AuditEntry.id))


def test_a_change_is_committed_with_its_line_in_the_trail(app: Flask) -> None:
    with changing(ADMIN, "extension.create", "phone 200"):
        db.session.add(phone())
    entry = trail()[0]
    assert (entry.actor_name, entry.actor_id, entry.via, entry.address) == (
        "Ada Admin", ADMIN.user_id, "api", "127.0.0.9",
    )  # fmt: skip
    assert (entry.action, entry.subject) == ("extension.create", "phone 200")
    assert db.session.query(Extension).one().number == "200"


def test_the_subject_can_be_told_inside_the_block(app: Flask) -> None:
    with changing(ADMIN, "extension.create") as change:
        db.session.add(phone())
        change.subject = "phone 200"
    assert trail()[0].subject == "phone 200"


def test_the_trail_shows_each_changed_field_before_and_after(app: Flask) -> None:
    with changing(ADMIN, "extension.create"):
        db.session.add(phone())
    with changing(ADMIN, "extension.update"):
        db.session.query(Extension).one().display_name = "Berta"
    row = db.session.query(Extension).one()
    changed = json.loads(trail()[1].details)["changed"]
    assert changed == {f"extensions/{row.id}": {"display_name": ["Anna", "Berta"]}}


def test_no_secret_is_in_the_trail(app: Flask) -> None:
    with changing(ADMIN, "create"):
        db.session.add_all([phone(), user()])
    with changing(ADMIN, "update"):
        row = db.session.query(Extension).one()
        row.sip_password, row.sip_digest = "another-secret", "e" * 32
        db.session.query(User).one().password_hash = "other-hash"
    with changing(ADMIN, "delete"):
        db.session.delete(db.session.query(Extension).one())
        db.session.delete(db.session.query(User).one())
    everything = "".join(entry.details for entry in trail())
    assert '"sip_password": ["***", "***"]' in everything
    for secret in ("a-secret-word", "another-secret", "d" * 32, "e" * 32, "a-hash", "other-hash", "v1:"):
        assert secret not in everything


def test_images_hold_the_values_as_stored(app: Flask) -> None:
    with changing(ADMIN, "create") as made:
        db.session.add(phone())
    with changing(ADMIN, "update") as changed:
        db.session.query(Extension).one().display_name = "Berta"
    with changing(ADMIN, "delete") as gone:
        db.session.delete(db.session.query(Extension).one())
    (created,), (updated,), (deleted,) = made.images, changed.images, gone.images
    assert created.before is None and created.after is not None and created.after["sip_password"].startswith("v1:")
    assert updated.before is not None and updated.after is not None
    assert (updated.before["display_name"], updated.after["display_name"]) == ("Anna", "Berta")
    assert set(updated.after) == {"display_name", "updated_at"}
    assert deleted.after is None and deleted.before == {**created.after, **updated.after}


def test_rows_are_seen_although_the_block_flushes_itself(app: Flask) -> None:
    with changing(ADMIN, "create"):
        db.session.add(phone())
    with changing(ADMIN, "update") as change:
        row = db.session.query(Extension).one()
        row.display_name = "Berta"
        db.session.flush()
        row.display_name = "Carla"
        db.session.flush()
    assert [(i.before or {})["display_name"] for i in change.images] == ["Anna"]
    assert [(i.after or {})["display_name"] for i in change.images] == ["Carla"]


def test_a_row_that_comes_and_goes_in_one_block_is_no_change(app: Flask) -> None:
    with changing(ADMIN, "nothing") as change:
        row = phone()
        db.session.add(row)
        db.session.flush()
        db.session.delete(row)
    assert change.images == []
    assert trail() == []


def test_a_block_that_changes_nothing_leaves_no_trace(app: Flask) -> None:
    with changing(ADMIN, "nothing"):
        db.session.query(Extension).all()
    assert trail() == []


def test_details_alone_are_audited(app: Flask) -> None:
    with changing(ADMIN, "calls.hangup", "call 1") as change:
        change.details["channel"] = "PJSIP/200-1"
    assert json.loads(trail()[0].details)["channel"] == "PJSIP/200-1"


def test_an_error_in_the_block_rolls_everything_back(app: Flask) -> None:
    with pytest.raises(Refused, match="no"), changing(ADMIN, "create"):
        db.session.add(phone())
        db.session.flush()
        raise Refused("no")
    assert db.session.query(Extension).all() == []
    assert trail() == []


def test_a_doubled_value_is_a_conflict(app: Flask) -> None:
    with changing(ADMIN, "create"):
        db.session.add(phone())
    with pytest.raises(Conflict), changing(ADMIN, "create"):
        db.session.add(phone())
    assert len(trail()) == 1


def test_a_database_that_cannot_be_written_is_told_plainly(app: Flask) -> None:
    connection = db.session.connection().connection.dbapi_connection
    assert connection is not None
    db.session.rollback()
    connection.execute("PRAGMA query_only = ON")
    try:
        with pytest.raises(Unavailable, match="cannot be written"), changing(ADMIN, "create"):
            db.session.add(phone())
    finally:
        connection.execute("PRAGMA query_only = OFF")


def test_a_database_that_another_program_holds_is_told_plainly(app: Flask) -> None:
    connection = db.session.connection().connection.dbapi_connection
    assert connection is not None
    db.session.rollback()
    connection.execute("PRAGMA busy_timeout = 50")
    settings: Settings = app.extensions["pbxweb.settings"]
    other = sqlite3.connect(settings.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable, match="takes unusually long"), changing(ADMIN, "create"):
            db.session.add(phone())
    finally:
        other.execute("ROLLBACK")
        other.close()
        connection.execute("PRAGMA busy_timeout = 10000")


def test_changes_cannot_be_nested(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="inside"), changing(ADMIN, "outer"):
        db.session.add(phone())
        with changing(ADMIN, "inner"):
            pass
    assert db.session.query(Extension).all() == []
    with changing(ADMIN, "works again"):
        db.session.add(phone())


def test_hooks_run_after_the_commit_and_only_then(app: Flask) -> None:
    settings: Settings = app.extensions["pbxweb.settings"]
    seen: list[int] = []

    def count() -> None:
        with sqlite3.connect(settings.database) as other:
            seen.append(other.execute("SELECT count(*) FROM extensions").fetchone()[0])

    with changing(ADMIN, "create") as change:
        db.session.add(phone())
        change.after_commit(count)
    with pytest.raises(Refused), changing(ADMIN, "create") as change:
        change.after_commit(count)
        raise Refused("no")
    assert seen == [1]


def test_endings_are_told_how_it_ended(app: Flask) -> None:
    ends: list[tuple[str, bool]] = []

    def note(change: Change) -> None:
        change.at_end(lambda committed: ends.append(("first", committed)))
        change.at_end(lambda committed: ends.append(("second", committed)))

    with changing(ADMIN, "create") as change:
        db.session.add(phone())
        note(change)
    with pytest.raises(Refused), changing(ADMIN, "create") as change:
        note(change)
        raise Refused("no")
    assert ends == [("second", True), ("first", True), ("second", False), ("first", False)]


def test_many_threads_change_one_row_without_losing_a_change(app: Flask) -> None:
    with changing(ADMIN, "create"):
        db.session.add(phone(max_contacts=0))

    def work() -> None:
        with app.app_context():
            for _ in range(5):
                with changing(ADMIN, "update"):
                    db.session.query(Extension).one().max_contacts += 1
            db.session.remove()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.expire_all()
    assert db.session.query(Extension).one().max_contacts == 40


def test_stored_rows_are_read_in_few_statements(app: Flask) -> None:
    with changing(ADMIN, "create") as change:
        db.session.add_all([phone(str(1000 + index)) for index in range(1200)])
    statements: list[str] = []
    driver = db.session.connection().connection.driver_connection
    assert driver is not None
    driver.set_trace_callback(statements.append)
    rows = stored_rows(db.session(), [(image.table, image.key) for image in change.images])
    assert len(rows) == 1200
    assert len([s for s in statements if s.startswith("SELECT")]) == 3


def test_the_applier_is_asked_only_for_what_configures_asterisk(app: Flask, tmp_path: Path) -> None:
    from pbxweb.asterisk.apply import Applier

    applier = Applier(app.extensions["pbxweb.settings"], ())
    assert applier.concerns([RowImage("extensions", "1", None, {})])
    assert not applier.concerns([RowImage("users", "1", None, {})])
