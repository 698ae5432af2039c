"""The command line: every command has help, says clearly what is wrong, and ends with the promised code."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from pbxweb.cli import main
from pbxweb.jobs import logs
from pbxweb.jobs.scheduler import Job, Scheduler
from pbxweb.owner import OwnedError, OwnerLock
from pbxweb.settings import CHECKOUT

COMMANDS = (
    [],
    ["run"],
    ["engine"],
    ["engine", "install"],
    ["engine", "status"],
    ["user"],
    ["user", "create"],
    ["config"],
    ["config", "check"],
    ["config", "diff"],
    ["config", "apply"],
    ["config", "history"],
    ["config", "undo"],
)
CREATE = ["user", "create", "--email", "owner@example.com", "--role", "admin", "--password-stdin"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, with the engine that was fetched for the tests."""
    monkeypatch.setenv("PBXWEB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PBXWEB_ENGINE_DIR", str(CHECKOUT / "var" / "engine"))
    return tmp_path / "home"


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: app.py {' '.join(words)}".strip())


def test_a_word_that_is_no_command_is_refused() -> None:
    with pytest.raises(SystemExit) as end:
        main(["fly"])
    assert end.value.code == 2


def test_a_bad_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PBXWEB_AMI_PORT", "many")
    assert main(["run"]) == 2
    told = capsys.readouterr().err
    assert told == "app.py: PBXWEB_AMI_PORT='many': a port is a number from 1 to 65535\n"


def test_status_says_that_it_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "status"]) == 1
    assert "is installed and does not run" in capsys.readouterr().out


def test_an_installed_engine_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "install"]) == 0
    assert "is here already" in capsys.readouterr().out


def test_a_user_is_made_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    type_in(monkeypatch, "correct-horse-battery-staple\n")
    assert main(CREATE) == 0
    assert capsys.readouterr().out == "owner@example.com can sign in (admin).\n"
    type_in(monkeypatch, "correct-horse-battery-staple\n")
    assert main(CREATE) == 1
    told = capsys.readouterr().err
    assert told.startswith("app.py: ")
    assert "Traceback" not in told


def test_a_weak_password_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, "1234\n")
    assert main(CREATE) == 1
    assert "password" in capsys.readouterr().err


def test_an_empty_password_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    type_in(monkeypatch, "")
    assert main(CREATE) == 2
    assert "password is empty" in capsys.readouterr().err


def test_the_password_is_never_an_argument() -> None:
    with pytest.raises(SystemExit):
        main(["user", "create", "--email", "a@example.com", "--role", "admin", "--password", "secret"])


def test_config_from_diff_to_history(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["config", "diff"]) == 0
    assert "+[general]" in capsys.readouterr().out
    assert main(["config", "apply"]) == 0
    assert capsys.readouterr().out == "Revision 1 is written; Asterisk does not run and reads it when it starts.\n"
    assert (home / "asterisk" / "etc" / "pjsip.conf").stat().st_size > 0
    assert main(["config", "diff"]) == 0
    assert capsys.readouterr().out == "Nothing differs.\n"
    assert main(["config", "apply"]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert main(["config", "history"]) == 0
    assert "app.py (cli)" in capsys.readouterr().out


def test_config_check_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "The configuration is fine.\n"


def test_undo_of_what_never_was_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "undo", "99"]) == 1
    assert capsys.readouterr().err.startswith("app.py: ")


def test_a_home_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PBXWEB_HOME", str(tmp_path / "file" / "home"))
    assert main(["run"]) == 2
    assert "PBXWEB_HOME" in capsys.readouterr().err


def test_only_one_owns_a_folder(tmp_path: Path) -> None:
    first, second = OwnerLock(tmp_path), OwnerLock(tmp_path)
    first.take()
    with pytest.raises(OwnedError, match="already runs"):
        second.take(patience=0)
    first.release()
    second.take(patience=0)
    second.release()


def test_a_job_runs_and_its_run_is_remembered(app: Flask, tmp_path: Path) -> None:
    jobs = Scheduler(app, tmp_path / "jobs.json")
    jobs.add(Job("good", lambda: "three rows", every=timedelta(hours=1)))
    jobs.add(Job("bad", lambda: str(1 // 0), at="03:20"))
    assert jobs.run_now("good").ok
    assert jobs.run_now("bad").result == "ZeroDivisionError: integer division or modulo by zero"
    again = Scheduler(app, tmp_path / "jobs.json").history()
    assert [(run.name, run.ok, run.result) for run in again][1] == ("good", True, "three rows")


def test_the_clock_runs_jobs(app: Flask, tmp_path: Path) -> None:
    import threading

    ran = threading.Event()
    jobs = Scheduler(app, tmp_path / "jobs.json")
    jobs.add(Job("soon", ran.set, every=timedelta(seconds=0.05)))
    jobs.start()
    try:
        assert ran.wait(30)
    finally:
        jobs.stop()


def test_a_job_needs_one_name_and_one_time(app: Flask, tmp_path: Path) -> None:
    jobs = Scheduler(app, tmp_path / "jobs.json")
    jobs.add(Job("a", lambda: None, at="03:20"))
    with pytest.raises(ValueError, match="already"):
        jobs.add(Job("a", lambda: None, at="03:20"))
    with pytest.raises(ValueError, match="either"):
        jobs.add(Job("b", lambda: None))


def test_a_spoilt_job_history_begins_anew(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text("{ half")
    assert Scheduler(app, tmp_path / "jobs.json").history() == ()
    (tmp_path / "jobs.json").write_text(json.dumps([{"name": "x"}]))
    assert Scheduler(app, tmp_path / "jobs.json").history() == ()


def test_old_logs_are_dropped(tmp_path: Path) -> None:
    class Quiet:
        """Takes the place of a running engine: it is only asked to rotate."""

        def cli(self, command: str, timeout: float = 5.0) -> str:
            assert command == "logger rotate"
            return ""

    (tmp_path / "messages.log").touch()
    for number in range(12):
        (tmp_path / f"messages.log.{number}").touch()
    assert logs.rotate(Quiet(), tmp_path) == "5 old log files dropped"  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("messages.log.*"))) == 7
