"""Each call exactly once: whatever is killed, repeated, replaced or lost."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from pbxweb.calls import intake, tallies
from pbxweb.calls.cel import Source
from pbxweb.calls.intake import Living, ingest
from pbxweb.calls.models import EVERYBODY, Call, Intake, OpenEvent, Party, Tally, call_id
from pbxweb.settings import CHECKOUT, Settings
from pbxweb.storage.database import db
from tests.calls.recorded import CALLS, CelFile, all_rows, rows, shifted

WHOLE = [name for name in CALLS if name != "killed"]
KILLED_LAST = 1795260500.665486


def history() -> list[tuple[str, str, str, str]]:
    """What the history says, in its order."""
    found = db.session.scalars(select(Call).order_by(Call.started)).all()
    return [(call.linkedid, call.caller_number, call.called_number, call.disposition) for call in found]


def settings_of(app: Flask) -> Settings:
    found: Settings = app.extensions["pbxweb.settings"]
    return found


def path_of(app: Flask) -> Path:
    found: Path = app.extensions["pbxweb.settings"].cel_database
    return found


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_it_reads_every_finished_call_once(context: Flask, cel: CelFile) -> None:
    cel.write(all_rows())
    result = ingest(cel.path)
    assert (result.calls, result.under_way) == (len(WHOLE), 6)
    assert ingest(cel.path).calls == 0
    assert len(history()) == len(WHOLE)


def test_nothing_is_there_yet(context: Flask) -> None:
    assert ingest(path_of(context)).events == 0


def test_a_file_without_a_table_yet_is_no_error(context: Flask) -> None:
    path = path_of(context)
    path.parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(path).close()
    assert ingest(path).events == 0


def test_reading_row_by_row_gives_the_same_as_reading_at_once(context: Flask, cel: CelFile) -> None:
    for row in all_rows():
        cel.write([row])
        ingest(cel.path)
    assert len(history()) == len(WHOLE)
    assert tallies.count(EVERYBODY, range(12), 0, 2**62) == len(WHOLE)


def test_a_small_portion_gives_the_same_as_a_large_one(
    context: Flask, cel: CelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "PORTION", 3)
    cel.write(all_rows())
    assert ingest(cel.path).calls == len(WHOLE)


def test_a_call_has_the_numbers_and_names_of_that_time(context: Flask, cel: CelFile, phone: object) -> None:
    phone("102", "Bea Büro")  # type: ignore[operator]
    cel.write(rows("forwarded"))
    ingest(cel.path)
    call = db.session.scalar(select(Call))
    assert call is not None
    assert (call.caller_name, call.called_name, call.answered_by) == ("Phone 101", "Bea Büro", "103")
    assert set(db.session.scalars(select(Party.number))) == {"101", "102", "103"}


def test_a_file_that_was_replaced_is_read_from_its_beginning(context: Flask, cel: CelFile) -> None:
    cel.write(rows("echo", "busy"))
    ingest(cel.path)
    cel.close()
    cel.path.unlink()
    other = CelFile(cel.path)
    other.write(rows("cancelled", "parked", "transferred"))
    ingest(cel.path)
    other.close()
    assert len(history()) == 5


def test_a_file_that_came_back_from_a_backup_gives_no_call_twice(context: Flask, cel: CelFile) -> None:
    cel.write(rows("echo", "busy", "parked"))
    ingest(cel.path)
    cel.close()
    for end in ("", "-wal", "-shm"):
        cel.path.with_name(cel.path.name + end).unlink(missing_ok=True)
    other = CelFile(cel.path)
    other.write(rows("echo", "busy")[3:])
    other.write(rows("cancelled"))
    ingest(cel.path)
    other.close()
    assert len(history()) == 4


def test_a_restored_file_does_not_repeat_the_events_of_an_open_call(context: Flask, cel: CelFile) -> None:
    cel.write(rows("parked")[:-4])
    ingest(cel.path)
    cel.close()
    cel.path.unlink()
    other = CelFile(cel.path)
    other.write(rows("parked"))
    ingest(cel.path)
    other.close()
    call = db.session.scalar(select(Call))
    assert call is not None
    assert [step["what"] for step in call.steps] == ["parked", "fetched"]


def test_a_call_that_asterisk_took_with_it_ends_when_it_was_last_seen(context: Flask, cel: CelFile) -> None:
    cel.write(rows("killed"))
    ingest(cel.path)
    intake.note_alive(at(KILLED_LAST + 20))
    restarted = at(KILLED_LAST + 60)
    ingest(cel.path, Living(restarted, restarted + timedelta(seconds=2), frozenset()))
    call = db.session.scalar(select(Call))
    assert call is not None
    assert (call.disposition, call.cut) == ("answered", True)
    assert call.ended == round((KILLED_LAST + 20) * 1_000_000)
    assert db.session.scalar(select(func.count()).select_from(OpenEvent)) == 0


def test_a_call_that_goes_on_is_not_closed(context: Flask, cel: CelFile) -> None:
    cel.write(rows("killed"))
    channels = frozenset({"1795260500.8", "1795260500.9"})
    for hours in (0, 1, 5):
        now = at(KILLED_LAST + hours * 3600)
        assert ingest(cel.path, Living(at(KILLED_LAST - 1000), now, channels)).under_way == 6
    assert history() == []


def test_a_call_without_its_last_event_ends_when_asterisk_no_longer_has_it(context: Flask, cel: CelFile) -> None:
    cel.write(rows("transferred")[:-1])
    now = at(1795260401 + 120)
    ingest(cel.path, Living(at(1795260000), now, frozenset()))
    call = db.session.scalar(select(Call))
    assert call is not None
    assert call.ended == 1795260401_746905


def test_what_comes_late_for_a_call_that_was_closed_is_no_second_call(context: Flask, cel: CelFile) -> None:
    given = rows("transferred")
    cel.write(given[:-3])
    ingest(cel.path, Living(at(1795260000), at(1795260401 + 120), frozenset()))
    cel.write(given[-3:])
    ingest(cel.path, Living(at(1795260000), at(1795260401 + 300), frozenset()))
    assert len(history()) == 1
    assert db.session.scalar(select(func.count()).select_from(OpenEvent)) == 0


def test_the_same_id_at_another_time_is_another_call(context: Flask, cel: CelFile) -> None:
    """A board without a clock of its own can begin the same second again after a power cut."""
    cel.write(rows("echo"))
    ingest(cel.path)
    cel.write([[f"{float(c) + 0.4:.6f}" if i == 1 else c for i, c in enumerate(row)] for row in rows("echo")])
    ingest(cel.path)
    ids = list(db.session.scalars(select(Call.id).order_by(Call.seq)))
    assert len(set(ids)) == 2
    assert ids[0] == call_id(rows("echo")[0][8])


def test_pruning_takes_only_what_is_old_and_was_read(context: Flask, cel: CelFile) -> None:
    old = shifted(rows("echo"), time.time() - 1795260371 - 30 * 86400, "a")
    new = shifted(rows("echo"), time.time() - 1795260371, "b")
    cel.write([*old, *new])
    ingest(cel.path)
    unread = shifted(rows("echo"), time.time() - 1795260371 - 30 * 86400, "c")
    cel.write(unread)
    assert intake.prune(settings_of(context)) == len(old)
    ingest(cel.path)
    assert len(history()) == 3


def test_a_row_number_is_never_used_twice_after_pruning(context: Flask, cel: CelFile) -> None:
    cel.write(rows("echo"))
    ingest(cel.path)
    assert intake.prune(settings_of(context), keep_days=-100_000) == len(rows("echo")) - 1
    cel.write(rows("busy"))
    assert ingest(cel.path).calls == 1


def test_old_call_records_go_too_but_never_the_newest(context: Flask) -> None:
    path = settings_of(context).cdr_database
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE cdr (AcctId INTEGER PRIMARY KEY, start)")
        old, new = time.time() - 30 * 86400, time.time()
        file.executemany("INSERT INTO cdr (start) VALUES (?)", [(f"{at:.6f}",) for at in (old, old, new, old)])
    assert intake.prune(settings_of(context)) == 2
    assert [row[0] for row in file.execute("SELECT AcctId FROM cdr")] == [3, 4]
    file.close()


def test_a_reader_never_makes_asterisk_wait(context: Flask, cel: CelFile) -> None:
    cel.write(rows("echo"))
    with Source(cel.path) as source:
        source._file.execute("BEGIN")
        source.after(0, 1)
        writer = sqlite3.connect(cel.path, timeout=0)
        writer.execute("INSERT INTO cel (eventtype) VALUES ('X')")
        writer.commit()
        writer.close()


def test_a_failed_portion_leaves_nothing_behind(context: Flask, cel: CelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    cel.write(all_rows())
    with monkeypatch.context() as broken:
        broken.setattr(intake, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(cel.path)
    for table in (Call, Party, Tally, Intake, OpenEvent):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0
    assert ingest(cel.path).calls == len(WHOLE)


READER = """
import sys
from pathlib import Path
from flask import Flask
from pbxweb.settings import Settings
from pbxweb.storage import database
import pbxweb.users.models
from pbxweb.calls import intake
intake.PORTION = 7
settings = Settings(home=Path(sys.argv[1]))
app = Flask("pbxweb")
database.init_app(app, settings)
with app.app_context():
    print("ready", flush=True)
    while True:
        intake.ingest(Path(sys.argv[2]))
"""


def test_a_hundred_calls_are_a_hundred_rows_though_the_reader_is_killed_again_and_again(
    app: Flask, settings: Settings, cel: CelFile
) -> None:
    names = [WHOLE[i % len(WHOLE)] for i in range(100)]
    script = settings.home / "reader.py"
    script.write_text(READER)
    chance = random.Random(7)
    rounds = 0
    pending = [shifted(rows(name), i * 5.0, f"{i}-") for i, name in enumerate(names)]
    while pending or rounds < 12:
        rounds += 1
        reader = subprocess.Popen(
            [sys.executable, str(script), str(settings.home), str(cel.path)],
            cwd=CHECKOUT, env={"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin"}, stdout=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"ready\n"
            for given in pending[:10]:
                for row in given:
                    cel.write([row])
            del pending[:10]
            time.sleep(chance.random() * 0.05)
        finally:
            reader.send_signal(signal.SIGKILL)
            reader.wait()
            assert reader.stdout is not None
            reader.stdout.close()
    with app.app_context():
        ingest(cel.path)
        assert len(history()) == 100
        assert tallies.count(EVERYBODY, range(12), 0, 2**62) == 100
        assert db.session.scalar(select(func.count()).select_from(OpenEvent)) == 0
        assert db.session.scalar(select(Intake.events)) == cel.count()
