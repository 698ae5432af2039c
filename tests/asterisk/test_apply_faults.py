"""Whatever fails while a change goes live: the files are the old ones, Asterisk runs them, and the person is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pbxweb.asterisk import process
from pbxweb.asterisk.ami import AmiLink
from pbxweb.room import Piece
from pbxweb.security.errors import Conflict, Refused, Unavailable
from pbxweb.settings import CHECKOUT
from pbxweb.storage.database import db
from tests.asterisk.faults import Proxy, files_may_not_exceed, unwritable
from tests.asterisk.house import House, phone, row
from tests.asterisk.pbx import HOST, SECRET, until

TORN = {
    "a section without its end": Piece("pjsip.conf", "\n[torn\ntype = endpoint\n"),
    "an include of a file that is not there": Piece("pjsip.conf", "\n#include /nowhere/at-all.conf\n"),
    "a torn dialplan": Piece("extensions.conf", "\n[torn\nexten => 1,1,NoOp()\n"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, engine_dir: Path) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"), engine_dir)
    try:
        house.start().add("200", "201")
        yield house
    finally:
        house.stop()


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.extra.clear()


@contextmanager
def nothing_happens(house: House) -> Iterator[None]:
    """Files, what Asterisk runs, the rows and the revisions are afterwards what they were before."""

    def state() -> tuple[Any, ...]:
        with house.app.app_context():
            rows = db.session.execute(db.text("SELECT * FROM extensions ORDER BY number")).all()
            revisions = db.session.execute(db.text("SELECT count(*) FROM revisions")).scalar_one()
            trail = db.session.execute(db.text("SELECT count(*) FROM audit_entries")).scalar_one()
        return house.texts(), house.names(), rows, revisions, trail

    before = state()
    yield
    assert state() == before
    assert house.runs_its_files()
    assert house.hidden() == []
    house.rename("200", "Works again")
    assert house.names()["200"] == '"Works again" <200>'


@pytest.mark.parametrize("kind", TORN)
def test_a_file_that_asterisk_cannot_read_is_taken_back(house: House, kind: str) -> None:
    with nothing_happens(house):
        house.extra.append(TORN[kind])
        with pytest.raises(Refused, match="could not read the new"):
            house.rename("201", "Torn")
        house.extra.clear()


def test_a_phone_that_asterisk_does_not_create_is_named(house: House) -> None:
    with nothing_happens(house):
        house.extra.append(Piece("pjsip.conf", "\n[bad](pbxweb-phone)\ndtmf_mode = smoke-signals\n"))
        with pytest.raises(Refused, match="bad"):
            house.touch()
        house.extra.clear()


def test_a_phone_that_silently_keeps_its_old_values_is_named(house: House) -> None:
    """PJSIP keeps the old object when it cannot use the new one, and calls the reload a success."""
    good = "\n[odd](pbxweb-phone)\nallow = ulaw\ncallerid = Old <999>\n"
    house.extra.append(Piece("pjsip.conf", good))
    house.touch()
    with nothing_happens(house):
        house.extra[:] = [Piece("pjsip.conf", good.replace("Old", "New") + "dtmf_mode = smoke-signals\n")]
        with pytest.raises(Refused, match="odd"):
            house.touch()
        house.extra[:] = [Piece("pjsip.conf", good)]
    house.extra.clear()
    house.touch()
    assert "odd" not in house.names()


def test_a_folder_that_cannot_be_written_changes_nothing(house: House) -> None:
    with nothing_happens(house), unwritable(house.etc), pytest.raises(Unavailable, match="right to write") as refused:
        house.rename("201", "Nowhere to write")
    assert str(house.etc) in str(refused.value)


def test_a_file_that_may_not_grow_changes_nothing(house: House) -> None:
    with nothing_happens(house):
        house.extra.append(Piece("extensions.conf", "; filler\n" * 2_000_000))
        with files_may_not_exceed(10_000_000), pytest.raises(Unavailable, match="disk is full"):
            house.add("250")
        house.extra.clear()


def test_a_full_disk_changes_nothing(tmp_path: Path, engine_dir: Path) -> None:
    """In a mount namespace of its own the folder of the files is a disk of one megabyte without a free byte."""
    script = [sys.executable, "-m", "tests.asterisk.full_disk", str(tmp_path / "house"), str(engine_dir)]
    own_namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    done = subprocess.run(
        [*own_namespace, *script], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "disk is full" in said["refused"]
    assert said["same_files"] and said["same_row"] and said["hidden"] == []
    assert said["afterwards"]


def test_a_commit_that_fails_takes_everything_back(house: House) -> None:
    """A broken reference that only the commit notices: by then Asterisk runs the new files."""
    with nothing_happens(house), pytest.raises(Conflict), house.change():
        db.session.execute(db.text("PRAGMA defer_foreign_keys = ON"))
        nobody = phone("260", "Of nobody")
        nobody.user_id = "00000000-0000-0000-0000-0000000000ff"
        db.session.add(nobody)


def test_a_database_that_is_full_takes_everything_back(house: House) -> None:
    connections: list[Any] = []
    with nothing_happens(house):
        with pytest.raises(Unavailable, match="disk is full"), house.change():
            connections.append(db.session.connection().connection.dbapi_connection)
            pages = db.session.execute(db.text("PRAGMA page_count")).scalar_one()
            db.session.execute(db.text(f"PRAGMA max_page_count = {pages}"))
            db.session.add_all([phone(str(1000 + index), "x" * 80) for index in range(200)])
        connections[0].execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("action", [b"Action: Reload", b"Action: Getvar", b"Action: PJSIPShowEndpoint"])
def test_a_connection_cut_in_the_middle_changes_nothing(house: House, action: bytes) -> None:
    proxy = Proxy(house.settings.ami_port)
    link = AmiLink(HOST, proxy.port, "pbxweb", SECRET)
    link.start()
    try:
        assert link.wait(30)
        house.applier.link = link
        with nothing_happens(house):
            proxy.trigger = action
            with pytest.raises(Unavailable, match="stopped answering"):
                house.rename("201", "Cut off")
            proxy.trigger = b""
            assert proxy.cuts >= 1
            assert until(lambda: link.connected)
    finally:
        house.applier.link = house.pbx.ami
        link.stop()
        proxy.close()


def test_while_the_link_is_down_changes_go_live_over_the_control_socket(house: House) -> None:
    proxy = Proxy(house.settings.ami_port)
    link = AmiLink(HOST, proxy.port, "pbxweb", SECRET)
    link.start()
    try:
        assert link.wait(30)
        house.applier.link = link
        proxy.close()
        until(lambda: not link.connected)
        assert house.rename("201", "By the back door").live
        assert house.names()["201"] == '"By the back door" <201>'
    finally:
        house.applier.link = house.pbx.ami
        link.stop()


def test_an_asterisk_that_runs_but_does_not_answer_gets_no_change(house: House) -> None:
    pid = house.pbx.engine.status().pid
    assert pid is not None
    socket = house.pbx.engine.layout.control_socket
    hidden = socket.with_suffix(".hidden")
    with nothing_happens(house):
        house.applier.link = None
        socket.rename(hidden)
        try:
            with pytest.raises(Unavailable, match="does not answer"):
                house.rename("201", "To a mute")
        finally:
            hidden.rename(socket)
            house.applier.link = house.pbx.ami


def test_with_asterisk_down_a_change_takes_effect_at_its_start(house: House) -> None:
    pid = house.pbx.engine.status().pid
    assert pid is not None
    os.kill(pid, 9)
    process.wait_gone(pid, 10)
    until(lambda: not house.pbx.ami.connected)
    change = house.rename("201", "While it was down")
    assert change.revision is not None
    assert change.live is False
    house.pbx.engine.ensure_running()
    house.pbx.ami.poke()
    assert house.pbx.ami.wait(30)
    assert house.names()["201"] == '"While it was down" <201>'
    assert house.runs_its_files()


def test_an_asterisk_killed_during_the_change_leaves_old_or_new(house: House) -> None:
    """The truth in either case: refused and the old rows, or accepted and the new ones."""
    for attempt in range(3):
        pid = house.pbx.engine.status().pid
        assert pid is not None
        with house.app.app_context():
            before = row("201").display_name
        os.kill(pid, 9)
        try:
            house.rename("201", f"Attempt {attempt}")
            expected = f"Attempt {attempt}"
        except Unavailable:
            expected = before
        process.wait_gone(pid, 10)
        house.pbx.engine.ensure_running()
        house.pbx.ami.poke()
        assert until(lambda: house.pbx.ami.connected)
        assert house.names()["201"] == f'"{expected}" <201>'
        assert house.runs_its_files()
