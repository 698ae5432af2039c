"""A change is live when its answer arrives, and it can be looked at and undone: with a real Asterisk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxweb.asterisk import revisions
from pbxweb.asterisk.revisions import Revision
from pbxweb.changes import changing
from pbxweb.extensions.models import Extension
from pbxweb.room import Piece
from pbxweb.security.errors import Conflict, NotFound, Refused
from pbxweb.storage.database import db
from tests.asterisk.house import ADMIN, House, at_once, phone, row
from tests.asterisk.pbx import until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, engine_dir: Path) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"), engine_dir)
    try:
        yield house.start()
    finally:
        house.stop()


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """A running house with three phones, and none of them afterwards."""
    running.add("200", "201", "202")
    yield running
    running.extra.clear()
    with running.change("extension.delete"):
        for one in db.session.query(Extension):
            db.session.delete(one)


def undo(house: House, number: int | None) -> int | None:
    assert number is not None
    with house.app.app_context():
        return house.applier.undo(ADMIN, number).revision


def revision(house: House, number: int | None) -> Revision:
    with house.app.app_context():
        found = revisions.get(db.session(), number or 0)
        db.session.expunge(found)
        return found


def test_a_new_phone_is_live_when_the_answer_arrives(house: House) -> None:
    change = house.add("300", name="Zoë")
    assert change.live
    assert house.names()["300"] == '"Zoë 300" <300>'
    assert house.dialled("300")
    assert house.runs_its_files()


def test_a_deleted_phone_is_gone_when_the_answer_arrives(house: House) -> None:
    house.remove("201")
    assert "201" not in house.names()
    assert not house.dialled("201")


def test_a_renumbered_phone_moves(house: House) -> None:
    with house.change("extension.update"):
        row("201").number = "301"
    assert {"200", "202", "301"} == set(house.names()) & {"200", "201", "202", "301"}
    assert house.dialled("301")
    assert not house.dialled("201")


def test_only_files_that_differ_are_written(house: House) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in house.etc.glob("*.conf")}
    house.rename("200", "Another name")
    after = {path.name: path.stat().st_mtime_ns for path in house.etc.glob("*.conf")}
    assert {name for name in after if after[name] != before[name]} == {"pjsip.conf"}


def test_only_the_modules_of_changed_files_are_reloaded(house: House) -> None:
    """A line that was put into the running dialplan lives until the dialplan is reloaded."""
    house.pbx.cli("dialplan add extension 9999,1,NoOp, into pbxweb-extensions")
    house.rename("200", "Only in pjsip.conf")
    assert house.dialled("9999")
    house.add("350")
    assert not house.dialled("9999")


def test_a_change_that_asterisk_does_not_read_makes_no_revision(house: House) -> None:
    with house.change("extension.update") as change:
        row("200").email = "zoe@example.com"
    assert change.revision is None


def test_a_revision_tells_who_did_what(house: House) -> None:
    found = revision(house, house.rename("202", "Paul").revision)
    assert (found.actor_name, found.actor_id, found.via) == (ADMIN.name, ADMIN.user_id, ADMIN.via)
    assert (found.action, found.subject, found.live, found.needs_restart) == ("extension.update", "202", True, False)
    assert set(found.diffs) == {"pjsip.conf"}
    changed = [line for line in found.diffs["pjsip.conf"].splitlines() if line[0] in "+-" and line[1] != line[0]]
    assert changed == ['-callerid = "Phone 202" <202>', '+callerid = "Paul" <202>']


def test_fifty_changes_at_once_are_each_live_when_answered(house: House) -> None:
    def work(index: int) -> None:
        number = str(400 + index)
        house.add(number)
        assert house.pbx.ami.getvar(f"PJSIP_ENDPOINT({number},aors)") == number
        assert house.dialled(number)

    assert at_once(50, work) == []
    assert set(house.names()) >= {str(400 + index) for index in range(50)}
    assert house.runs_its_files()


def test_undo_of_a_change_puts_the_old_value_back(house: House) -> None:
    number = house.rename("200", "Wrong").revision
    undone = undo(house, number)
    assert house.names()["200"] == '"Phone 200" <200>'
    assert revision(house, undone).undoes == number


def test_undo_of_an_undo_does_it_again(house: House) -> None:
    undo(house, undo(house, house.rename("200", "Again").revision))
    assert house.names()["200"] == '"Again" <200>'


def test_undo_of_a_deletion_brings_the_phone_back_with_its_password(house: House) -> None:
    undo(house, house.remove("201").revision)
    assert "201" in house.names()
    with house.app.app_context():
        assert row("201").sip_password == "secret"


def test_undo_of_a_creation_removes_the_phones(house: House) -> None:
    undo(house, house.add("310", "311").revision)
    assert not {"310", "311"} & set(house.names())


def test_what_was_seen_of_a_phone_does_not_stand_in_the_way_of_an_undo(house: House) -> None:
    number = house.add("310").revision
    with house.change("extension.seen"):
        row("310").last_user_agent = "baresip"
    undo(house, number)
    assert "310" not in house.names()


def test_undo_leaves_other_columns_of_the_row_alone(house: House) -> None:
    number = house.rename("200", "Wrong").revision
    with house.change():
        row("200").max_contacts = 7
    undo(house, number)
    with house.app.app_context():
        assert (row("200").display_name, row("200").max_contacts) == ("Phone 200", 7)


def test_undo_is_refused_when_the_same_value_changed_again(house: House) -> None:
    number = house.rename("200", "First").revision
    house.rename("200", "Second")
    with pytest.raises(Conflict, match="changed again since"):
        undo(house, number)
    assert house.names()["200"] == '"Second" <200>'


def test_undo_is_refused_when_the_phone_is_gone(house: House) -> None:
    number = house.rename("200", "First").revision
    house.remove("200")
    with pytest.raises(Conflict):
        undo(house, number)


def test_undo_of_a_deletion_is_refused_when_the_number_is_taken_again(house: House) -> None:
    number = house.remove("201").revision
    house.add("201")
    with pytest.raises(Conflict):
        undo(house, number)


def test_undo_of_a_revision_that_does_not_exist_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        undo(house, 999_999)


def test_diff_and_problems_tell_what_an_apply_would_do(house: House) -> None:
    with house.app.app_context():
        assert house.applier.diff(db.session()) == ""
        assert house.applier.problems(db.session()) == []
    house.extra.append(Piece("extensions.conf", "\n[test-more]\nexten => s,1,Goto(nowhere,s,1)\n"))
    with house.app.app_context():
        assert "+exten => s,1,Goto(nowhere,s,1)" in house.applier.diff(db.session())
        assert [p.file for p in house.applier.problems(db.session())] == ["extensions.conf"]


def test_a_change_that_would_not_work_is_refused_before_anything_is_written(house: House) -> None:
    before = house.texts()
    house.extra.append(Piece("extensions.conf", "\n[test-more]\nexten => s,1,Goto(nowhere,s,1)\n"))
    with pytest.raises(Refused, match="nowhere"):
        house.touch()
    assert house.texts() == before


def test_reconcile_changes_nothing_when_all_agree(house: House) -> None:
    with house.app.app_context():
        assert house.applier.reconcile().revision is None


def test_reconcile_undoes_what_was_changed_by_hand(house: House) -> None:
    path = house.etc / "pjsip.conf"
    path.write_text(path.read_text().replace("Phone 200", "Intruder"))
    house.pbx.ami.reload("res_pjsip.so")
    assert house.names()["200"] == '"Intruder" <200>'
    with house.app.app_context():
        assert house.applier.reconcile().revision is not None
    assert house.names()["200"] == '"Phone 200" <200>'


def test_reconcile_makes_asterisk_read_files_that_it_missed(house: House) -> None:
    """As after a kill between the reload of the new files and the commit."""
    good = (house.etc / "pjsip.conf").read_text()
    (house.etc / "pjsip.conf").write_text(good.replace("Phone 200", "Not committed").replace("18", "19"))
    house.pbx.ami.reload("res_pjsip.so")
    (house.etc / "pjsip.conf").write_text(good)
    (house.etc / ".pjsip.conf.previous").write_text(good)
    with house.app.app_context():
        house.applier.reconcile()
    assert house.names()["200"] == '"Phone 200" <200>'
    assert house.hidden() == []


def test_without_a_link_the_control_socket_serves(house: House) -> None:
    house.applier.link = None
    try:
        assert house.add("320").live
        house.rename("320", "Over the socket")
        house.remove("201")
    finally:
        house.applier.link = house.pbx.ami
    assert house.names()["320"] == '"Over the socket" <320>'
    assert "201" not in house.names()
    assert house.runs_its_files()


def test_what_needs_a_restart_is_done_when_no_call_is_up(house: House) -> None:
    modules = "\n[modules]\nload = app_verbose.so\n"
    house.extra.append(Piece("modules.conf", modules))
    change = house.touch()
    assert change.needs_restart
    assert house.applier.restart_pending == ("modules.conf",)
    pid = house.pbx.engine.status().pid
    call = {"Channel": "Local/*43@pbxweb-phones", "Application": "Wait", "Data": "30", "Async": "true"}
    house.pbx.ami.send("Originate", call)
    until(house.pbx.channels)
    assert house.applier.restart_when_idle(house.pbx.engine.ensure_running) is False
    house.pbx.quiet()
    assert house.applier.restart_when_idle(house.pbx.engine.ensure_running) is True
    house.pbx.ami.poke()
    assert house.pbx.ami.wait(30)
    assert house.pbx.engine.status().pid != pid
    assert house.applier.restart_pending == ()
    assert house.runs_its_files()


def test_a_password_that_was_changed_is_not_in_the_revision(house: House) -> None:
    from pbxweb.extensions.conf import digest_of

    with house.change() as change:
        row("200").sip_password = "new-secret-word"
        row("200").sip_digest = digest_of("200", "new-secret-word")
    shown = revision(house, change.revision).changed_files
    assert "password_digest = ***" in shown
    assert digest_of("200", "new-secret-word") not in shown
    assert digest_of("200", "secret") not in shown


def test_nothing_secret_lies_open_in_the_database(house: House) -> None:
    house.add("330", password="open-sesame-word")
    house.remove("330")
    with house.app.app_context():
        db.session.execute(db.text("PRAGMA wal_checkpoint(TRUNCATE)"))
    stored = house.settings.database.read_bytes()
    assert b"open-sesame-word" not in stored


def test_an_apply_in_a_second_process_is_noticed(house: House, engine_dir: Path) -> None:
    """The command line changes something: this process must not go by what it remembers of the files."""
    from pbxweb.asterisk.apply import Applier

    other = Applier(house.settings, house.rooms())
    with house.app.app_context():
        house.app.extensions["pbxweb.applier"] = other
        try:
            with changing(ADMIN, "extension.create"):
                db.session.add(phone("340", "Made elsewhere"))
        finally:
            house.app.extensions["pbxweb.applier"] = house.applier
    house.rename("340", "Renamed here")
    assert house.names()["340"] == '"Renamed here" <340>'
