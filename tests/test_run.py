"""``app.py run`` as a person or a service manager meets it: real processes, a real Asterisk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxweb.asterisk import process
from pbxweb.asterisk.layout import private_tree
from pbxweb.settings import CHECKOUT
from tests.asterisk.pbx import HOST, free_ports, free_range, until

READY_SECONDS = 60


class Instance:
    """One state folder with ports of its own, and the ``run`` processes that were started on it."""

    def __init__(self, home: Path, **more: str) -> None:
        engine = CHECKOUT / "var" / "engine"
        assert private_tree(engine).complete, "no Asterisk here: run `python app.py engine install` first"
        http, sip, tls, ami = free_ports(count=4)
        self.home = home
        self.url = f"http://{HOST}:{http}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PBXWEB_")},
            "PBXWEB_HOME": str(home),
            "PBXWEB_ENGINE_DIR": str(engine),
            "PBXWEB_HTTP": f"{HOST}:{http}",
            "PBXWEB_SIP_BIND": f"{HOST}:{sip}",
            "PBXWEB_SIP_TLS_PORT": str(tls),
            "PBXWEB_RTP": str(free_range(8)),
            "PBXWEB_AMI_PORT": str(ami),
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }
        self.config = home / "asterisk" / "etc" / "asterisk.conf"
        self.output = home.with_suffix(".out")
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start ``run``; what it prints goes to ``output``."""
        with self.output.open("wb") as output:
            words = [sys.executable, "app.py", "run"]
            done = subprocess.Popen(
                words, cwd=CHECKOUT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        self.started.append(done)
        return done

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def ready(self) -> subprocess.Popen[bytes]:
        """Start ``run`` and wait for its ready line."""
        started = self.start()
        until(
            lambda: f"pbxweb ready: {self.url}" in self.printed() or started.poll() is not None,
            READY_SECONDS,
            f"the ready line, after {self.printed()}",
        )
        assert started.poll() is None, self.printed()
        return started

    def asterisk(self) -> int | None:
        """The pid of this instance's Asterisk; there is never more than one."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        found = [pid for pid in pids if process.runs_instance(pid, self.config)]
        assert len(found) <= 1, found
        return found[0] if found else None

    def page(self) -> int:
        """The status of the first page, 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            return 0

    def command(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of ``app.py`` to its end."""
        return subprocess.run(
            [sys.executable, "app.py", *words],
            cwd=CHECKOUT,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def close(self) -> None:
        for started in self.started:
            if started.poll() is None:
                started.terminate()
                try:
                    started.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(started.pid, signal.SIGKILL)
                    started.wait()
        pid = self.asterisk()
        if pid is not None:
            process.end(pid, 1)


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that has seen one start: the first one makes database, sounds and certificate."""
    made = Instance(tmp_path_factory.mktemp("set-up") / "home")
    try:
        made.ready().terminate()
        made.started[0].wait(30)
    finally:
        made.close()
    return made.home


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Instance]:
    """An instance on a state folder that does not exist yet."""
    made = Instance(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def instance(set_up: Path, tmp_path: Path) -> Iterator[Instance]:
    """An instance that was started before, and has moved to another folder and other ports since."""
    shutil.copytree(set_up, tmp_path / "home", symlinks=True)
    made = Instance(tmp_path / "home")
    yield made
    made.close()


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def worker_of(parent: subprocess.Popen[bytes]) -> int:
    """The process that serves: the child of the started one that is no Asterisk."""
    (worker,) = [
        pid
        for pid in children(parent.pid)
        if b"asterisk" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    ]
    return worker


def test_from_an_empty_folder_to_the_ready_line_and_back(empty: Instance) -> None:
    started = empty.ready()
    assert empty.page() == 200
    assert empty.asterisk() is not None
    until(lambda: re.search(r"Set-up code: \w{4}-\w{4}", empty.printed()), what="the setup code")
    assert empty.home.stat().st_mode & 0o777 == 0o700
    group = children(started.pid)
    started.terminate()
    assert started.wait(5) == 0
    assert empty.asterisk() is None
    assert [pid for pid in group if Path(f"/proc/{pid}").exists()] == []


def test_ctrl_c_ends_it_as_well(instance: Instance) -> None:
    started = instance.ready()
    started.send_signal(signal.SIGINT)
    assert started.wait(5) == 0
    assert instance.asterisk() is None


def test_a_killed_worker_is_replaced_and_asterisk_never_notices(instance: Instance) -> None:
    started = instance.ready()
    asterisk, worker = instance.asterisk(), worker_of(started)
    os.kill(worker, signal.SIGKILL)
    until(lambda: worker not in children(started.pid) and instance.page() == 200, what="the next worker")
    assert instance.asterisk() == asterisk
    assert instance.printed().count("pbxweb ready") == 1


def test_a_killed_pbxweb_leaves_asterisk_and_the_next_one_takes_it_over(instance: Instance) -> None:
    started = instance.ready()
    asterisk = instance.asterisk()
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert instance.asterisk() == asterisk
    again = instance.ready()
    assert instance.asterisk() == asterisk
    again.terminate()
    assert again.wait(5) == 0
    assert instance.asterisk() is None


def test_a_killed_parent_takes_its_worker_along_but_not_asterisk(instance: Instance) -> None:
    started = instance.ready()
    asterisk, worker = instance.asterisk(), worker_of(started)
    started.kill()
    started.wait()
    until(lambda: not Path(f"/proc/{worker}").exists(), what="the worker to notice")
    assert instance.asterisk() == asterisk
    instance.ready()
    assert instance.asterisk() == asterisk


def test_a_killed_asterisk_is_started_again(instance: Instance) -> None:
    instance.ready()
    before = instance.asterisk()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: instance.asterisk() not in (None, before), what="another Asterisk")
    until(lambda: "runs:" in instance.command("engine", "status").stdout, what="its answer")
    assert instance.page() == 200


def test_a_second_run_on_the_same_folder_says_so(instance: Instance) -> None:
    started = instance.ready()
    second = instance.command("run")
    assert second.returncode == 2
    assert f"already runs on {instance.home} (process {started.pid})" in second.stderr
    assert instance.page() == 200


def test_two_instances_run_side_by_side(instance: Instance, tmp_path: Path) -> None:
    other = Instance(tmp_path / "other")
    try:
        first = instance.ready()
        other.ready()
        assert instance.asterisk() != other.asterisk()
        first.terminate()
        assert first.wait(5) == 0
        assert other.page() == 200
        assert other.asterisk() is not None
    finally:
        other.close()


def test_a_taken_web_port_is_named(instance: Instance, tmp_path: Path) -> None:
    instance.ready()
    other = Instance(tmp_path / "other", PBXWEB_HTTP=instance.environment["PBXWEB_HTTP"])
    refused = other.command("run")
    assert refused.returncode == 2
    assert f"PBXWEB_HTTP={instance.environment['PBXWEB_HTTP']}" in refused.stderr


@pytest.mark.parametrize("name", ["PBXWEB_AMI_PORT", "PBXWEB_SIP_BIND", "PBXWEB_SIP_TLS_PORT"])
def test_a_taken_port_of_asterisk_is_named(instance: Instance, tmp_path: Path, name: str) -> None:
    instance.ready()
    port = instance.environment[name]
    other = Instance(tmp_path / "other", **{name: port})
    try:
        other.start()
        until(lambda: f"{name}={port}" in other.printed(), what="the reason")
        assert "pbxweb ready" not in other.printed()
        assert other.asterisk() is None
    finally:
        other.close()


def test_the_next_start_needs_no_migration_tools(instance: Instance) -> None:
    first = instance.ready()
    first.terminate()
    first.wait(5)
    started = instance.ready()
    maps = Path(f"/proc/{worker_of(started)}/maps").read_text()
    assert "alembic" not in maps
    assert instance.page() == 200


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.8, 1.5])
def test_it_can_be_ended_at_any_moment_of_its_first_start(empty: Instance, moment: float) -> None:
    started = empty.start()
    time.sleep(moment)
    started.terminate()
    started.wait(30)
    until(lambda: empty.asterisk() is None, 5, "Asterisk to be gone")
    empty.ready()


def test_commands_work_while_it_runs(instance: Instance) -> None:
    instance.ready()
    status = instance.command("engine", "status")
    assert (status.returncode, f"process {instance.asterisk()}" in status.stdout) == (0, True)
    applied = instance.command("config", "apply")
    assert (applied.returncode, applied.stdout) == (
        0,
        "Asterisk runs what the database says; nothing was changed.\n",
    ), applied.stderr
