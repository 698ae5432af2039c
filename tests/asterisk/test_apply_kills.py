"""Processes that are killed while they write, and processes that write at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxweb.settings import CHECKOUT
from pbxweb.storage.database import db
from tests.asterisk.house import House, Office

KILLS = 200


@pytest.fixture
def house(tmp_path: Path, engine_dir: Path) -> Iterator[House]:
    made = House(tmp_path / "house", engine_dir)
    try:
        made.start().add(*[str(200 + index) for index in range(20)])
        yield made
    finally:
        made.stop()


def callers(house: House) -> dict[str, str]:
    """Number to caller id as the database wants it."""
    with house.app.app_context():
        rows = db.session.execute(db.text("SELECT number, display_name FROM extensions WHERE status = 'active'"))
        return {number: f'"{name}" <{number}>' for number, name in rows}


@pytest.mark.timeout(400)
def test_two_hundred_kills_leave_every_file_whole_and_asterisk_in_step(house: House) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.asterisk.killing", str(house.settings.home), str(KILLS)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["wrong"] == []
    assert said["missing"] == 0
    assert said["begun"] > 0, "no kill hit a write: the test shows nothing"
    with house.app.app_context():
        house.applier.reconcile()
        assert house.applier.diff(db.session()) == ""
    assert house.hidden() == []
    assert house.runs_its_files()
    assert house.names() == callers(house)


def test_two_processes_that_change_at_once_get_along(house: House) -> None:
    script = "import sys; from tests.asterisk.killing import rename_all; rename_all(sys.argv[1], sys.argv[2:])"
    numbers = {name: [str(200 + index) for index in range(start, start + 10)] for name, start in (("A", 0), ("B", 10))}
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(house.settings.home), name, *some], cwd=CHECKOUT)
        for name, some in numbers.items()
    ]
    house.add("300")
    house.rename("300", "From the third")
    assert [process.wait(60) for process in processes] == [0, 0]
    expected = {n: f'"{name} {n}" <{n}>' for name, some in numbers.items() for n in some}
    assert house.names() == {**expected, "300": '"From the third" <300>'}
    assert house.runs_its_files()
    with house.app.app_context():
        assert house.applier.diff(db.session()) == ""
        revisions = [revision.number for revision in house.applier.history(db.session(), 23)]
    assert revisions == list(range(revisions[0], revisions[0] - 23, -1))


def test_another_process_finds_the_same_house(house: House) -> None:
    other = Office.of(house.settings.home)
    with other.app.app_context():
        assert other.applier.diff(db.session()) == ""
