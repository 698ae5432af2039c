"""The history of calls that real phones made through a real Asterisk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from pbxweb.calls import cel, intake
from pbxweb.calls.intake import Living
from pbxweb.calls.models import Call
from pbxweb.settings import Settings
from pbxweb.storage.database import db
from tests.asterisk.conftest import PHONES
from tests.asterisk.pbx import Pbx, until
from tests.asterisk.phones import Phones
from tests.conftest import make_app


@pytest.fixture
def history(pbx: Pbx, tmp_path: Path) -> Iterator[Flask]:
    """An application with an empty history, in its context; what was before is skipped."""
    app = make_app(Settings(home=tmp_path / "web"))
    with app.app_context():
        until(lambda: not intake.ingest(pbx.settings.cel_database).under_way, what="the calls before to be told")
        db.session.execute(Call.__table__.delete())
        db.session.commit()
        yield app
        db.session.remove()
        db.engine.dispose()


def read(pbx: Pbx, count: int = 1) -> list[Call]:
    """The calls since the test began, once there are so many."""

    def found() -> list[Call]:
        intake.ingest(pbx.settings.cel_database)
        return list(db.session.scalars(select(Call).order_by(Call.started)))

    until(lambda: len(found()) >= count, what=f"{count} calls in the history")
    time.sleep(0.3)
    calls = found()
    assert len(calls) == count, [(c.caller_number, c.called_number) for c in calls]
    return calls


def test_an_answered_call_has_its_times(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert = phones.add("200"), phones.add("201")
    began = datetime.now(UTC)
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    time.sleep(1)
    answering = datetime.now(UTC)
    bert.answer()
    anna.talking().joined()
    time.sleep(1)
    ending = datetime.now(UTC)
    anna.hang_up().closed()
    (call,) = read(pbx)
    told = datetime.now(UTC)
    assert (call.direction, call.disposition, call.caller_number, call.called_number) == (
        "internal", "answered", "200", "201",
    )  # fmt: skip
    assert call.answered_at is not None
    moments = [began, call.started_at, answering, call.answered_at, ending, call.ended_at, told]
    assert moments == sorted(moments)


def test_busy_missed_and_wrong_numbers_are_told_apart(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert = phones.add("200"), phones.add("201")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    bert.hang_up()
    anna.closed()
    anna.forget()
    bert.forget()
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    anna.hang_up()
    bert.closed()
    anna.forget()
    anna.dial("9999").closed()
    assert [call.disposition for call in read(pbx, 3)] == ["busy", "missed", "failed"]


def test_a_transferred_call_is_one_call_with_its_legs(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert, cleo = phones.add("200"), phones.add("201"), phones.add("202", answer="auto")
    anna.dial("201")
    bert.answer()
    anna.talking()
    bert.transfer("202")
    cleo.talking().joined()
    anna.hang_up()
    cleo.closed()
    (call,) = read(pbx)
    assert [leg["number"] for leg in call.legs] == ["200", "201", "202"]
    assert [(step["what"], step["by"], step["to"]) for step in call.steps] == [("transferred", "201", "202")]


def test_a_call_transferred_after_a_consultation_is_one_call(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert, cleo = phones.add("200"), phones.add("201"), phones.add("202", answer="auto")
    anna.dial("201")
    bert.answer()
    anna.talking()
    channel = next(name for name in pbx.channels() if name.startswith("PJSIP/201-"))
    pbx.ami.send("Atxfer", {"Channel": channel, "Exten": "202", "Context": "pbxweb-phones"})
    cleo.talking().joined()
    bert.hang_up()
    assert cleo.hears(anna.hertz)
    anna.hang_up()
    cleo.closed()
    (call,) = read(pbx)
    assert {leg["number"] for leg in call.legs} == {"200", "201", "202"}
    assert [(step["what"], step["by"], step["to"]) for step in call.steps] == [("transferred", "201", "202")]


def test_a_picked_up_call_is_one_call(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert, cleo = phones.add("200"), phones.add("201"), phones.add("202")
    anna.dial("201")
    bert.wait("CALL_INCOMING")
    cleo.dial("**201").talking()
    anna.talking().joined()
    anna.hang_up()
    cleo.closed()
    (call,) = read(pbx)
    assert (call.called_number, call.answered_by) == ("201", "202")


def test_a_parked_and_fetched_call_is_one_call(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert, cleo = phones.add("200"), phones.add("201"), phones.add("202")
    anna.dial("201")
    bert.answer()
    anna.talking()
    bert.transfer("700")
    until(lambda: pbx.seen("ParkedCall"), what="the call to be parked")
    cleo.dial(pbx.seen("ParkedCall")[0].get("ParkingSpace")).talking().joined()
    cleo.hang_up()
    anna.closed()
    (call,) = read(pbx)
    assert {"parked", "fetched"} <= {step["what"] for step in call.steps}


def test_a_forwarded_call_is_one_call(pbx: Pbx, phones: Phones, history: Flask) -> None:
    anna, bert = phones.add("200"), phones.add("202", answer="auto")
    pbx.ami.dbput("pbxweb-cfu", "201", "202")
    anna.dial("201").talking()
    anna.hang_up()
    bert.closed()
    (call,) = read(pbx)
    assert (call.called_number, call.answered_by) == ("201", "202")


def test_a_call_under_which_asterisk_was_killed_ends_then(tmp_path: Path, engine_dir: Path, history: Flask) -> None:
    pbx = Pbx(tmp_path / "mortal", engine_dir)
    cel.prepare(pbx.settings)
    phones = Phones(tmp_path / "handsets", pbx.port)
    try:
        pbx.start(PHONES[:2])
        anna, _ = phones.add("200"), phones.add("201", answer="auto")
        anna.dial("201").talking()
        time.sleep(1.5)
        status = pbx.engine.status()
        assert status.pid
        _kill(status.pid)
        died = datetime.now(UTC)
        intake.note_alive(died)
        pbx.engine.ensure_running()
        restarted = datetime.now(UTC)
        intake.ingest(pbx.settings.cel_database)
        assert intake.ingest(pbx.settings.cel_database, Living(restarted, restarted, frozenset())).under_way == 0
        (call,) = db.session.scalars(select(Call)).all()
        assert (call.disposition, call.cut) == ("answered", True)
        assert abs((call.ended_at - died).total_seconds()) < 1
    finally:
        phones.close()
        pbx.stop()


def _kill(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), what="Asterisk to be dead")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_asterisks_files_are_such_that_a_reader_never_makes_it_wait(pbx: Pbx, history: Flask) -> None:
    cel.prepare(pbx.settings)
    import sqlite3

    for path in (pbx.settings.cel_database, pbx.settings.cdr_database):
        assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)
