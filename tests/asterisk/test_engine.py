"""The Asterisk process: started, taken over, restarted, stopped; fetched from the right place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pbxweb.asterisk import apt_sources, control, process
from pbxweb.asterisk import layout as layout_module
from pbxweb.asterisk.apt_sources import (
    Source,
    SourcesError,
    asterisk_source,
    keyring_source,
    one_line,
    os_release,
    paragraphs,
)
from pbxweb.asterisk.engine import EngineError, PrivateEngine, engine_for, short, usable
from pbxweb.asterisk.engine_fetch import install
from pbxweb.asterisk.layout import Tree, layout, private_tree
from pbxweb.settings import CHECKOUT, Address, Settings
from tests.asterisk.pbx import HOST, free_ports

DIRECTORIES = ("etc", "varlib", "log", "spool", "data", "keys", "run", "modules")


def small(settings: Settings) -> PrivateEngine:
    """An engine whose configuration is the least that Asterisk starts with."""
    sip, tls, ami = free_ports(count=3)
    engine = PrivateEngine(replace(settings, sip_bind=Address(HOST, sip), sip_tls_port=tls, ami_port=ami))
    paths = engine.layout
    paths.etc.mkdir(parents=True)
    names = {"varlib": "astvarlibdir", "modules": "astmoddir"}
    lines = [f"{names.get(name, f'ast{name}dir')} => {getattr(paths, name)}" for name in DIRECTORIES]
    lines += [f"astdbdir => {paths.varlib}", f"astkeydir => {paths.keys}"]
    paths.config.write_text("[directories]\n" + "\n".join(lines) + "\n")
    (paths.etc / "modules.conf").write_text("[modules]\nautoload = no\nload = pbx_config.so\n")
    for file in ("extensions.conf", "logger.conf"):
        (paths.etc / file).write_text("[general]\n")
    return engine


@pytest.fixture
def engine(tmp_path: Path, engine_dir: Path) -> Iterator[PrivateEngine]:
    made = small(Settings(home=tmp_path / "home", engine_dir=engine_dir))
    yield made
    made.stop()


def instances(engine: PrivateEngine) -> list[int]:
    """The processes that run this instance."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and process.runs_instance(int(entry.name), engine.layout.config)
    ]


def test_it_starts_and_says_how_it_is(engine: PrivateEngine) -> None:
    assert not engine.status().running
    pid = engine.ensure_running()
    status = engine.status()
    assert (status.running, status.pid, status.version) == (True, pid, engine.installed())
    assert 0 < status.uptime < 60
    assert 1_000_000 < status.memory < 100_000_000
    assert "System uptime" in engine.cli("core show uptime")


def test_it_runs_in_a_session_of_its_own(engine: PrivateEngine) -> None:
    pid = engine.ensure_running()
    assert os.getsid(pid) == pid
    assert os.getsid(0) != pid


def test_a_second_call_takes_the_running_one(engine: PrivateEngine) -> None:
    pid = engine.ensure_running()
    assert engine.ensure_running() == pid
    assert PrivateEngine(engine.settings).ensure_running() == pid
    assert instances(engine) == [pid]


def test_many_at_once_start_only_one(engine: PrivateEngine) -> None:
    pids: list[int] = []
    threads = [
        threading.Thread(target=lambda: pids.append(engine_for(engine.settings).ensure_running())) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 6
    assert len(set(pids)) == 1
    assert instances(engine) == [pids[0]]


def test_it_outlives_a_killed_parent_and_is_taken_over(engine: PrivateEngine) -> None:
    program = (
        "import os, time; from pbxweb.settings import load; from pbxweb.asterisk.engine import PrivateEngine; "
        "print(PrivateEngine(load(os.environ)).ensure_running(), flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", program]
    names = ("home", "engine_dir", "sip_bind", "sip_tls_port", "ami_port")
    given = {f"PBXWEB_{name.upper()}": str(getattr(engine.settings, name)) for name in names}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=os.environ | given) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert engine.ensure_running() == pid
    assert instances(engine) == [pid]


def test_a_killed_one_is_noticed_and_started_anew(engine: PrivateEngine) -> None:
    pid = engine.ensure_running()
    assert not engine.wait_gone(pid, 0.05)
    os.kill(pid, signal.SIGKILL)
    assert engine.wait_gone(pid, 5)
    again = engine.ensure_running()
    assert again != pid
    assert instances(engine) == [again]


def test_one_that_hangs_is_replaced(engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbxweb.asterisk.engine.START_SECONDS", 4.0)
    pid = engine.ensure_running()
    os.kill(pid, signal.SIGSTOP)
    again = engine.ensure_running()
    assert again != pid
    assert instances(engine) == [again]


def test_stop_leaves_nothing(engine: PrivateEngine) -> None:
    pid = engine.ensure_running()
    engine.stop()
    assert process.wait_gone(pid, 0)
    assert instances(engine) == []
    engine.stop()
    with pytest.raises(EngineError, match="does not answer"):
        engine.cli("core show version")


def test_a_broken_configuration_is_told_with_its_last_words(engine: PrivateEngine) -> None:
    (engine.layout.etc / "modules.conf").write_text("[modules]\nautoload = no\nrequire = no_such_module.so\n")
    with pytest.raises(EngineError, match="no_such_module"):
        engine.ensure_running()
    assert instances(engine) == []


def test_without_a_tree_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbxweb.asterisk.layout.system_tree", lambda: None)
    engine = small(Settings(home=tmp_path / "home", engine_dir=tmp_path / "none"))
    assert engine.installed() is None
    with pytest.raises(EngineError, match=r"app\.py engine install"):
        engine.ensure_running()


def test_a_long_state_folder_gets_a_short_run_folder(tmp_path: Path, engine_dir: Path) -> None:
    home = tmp_path / ("long" * 20) / ("longer" * 10)
    engine = small(Settings(home=home, engine_dir=engine_dir))
    try:
        assert len(str(engine.layout.control_socket)) < 100
        assert engine.ensure_running() == engine.status().pid
        assert engine.layout.run.stat().st_mode & 0o777 == 0o700
    finally:
        engine.stop()
        for path in engine.layout.run.iterdir():
            path.unlink()
        engine.layout.run.rmdir()


def test_a_run_folder_of_somebody_else_is_refused(
    tmp_path: Path, engine_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = small(Settings(home=tmp_path / "home", engine_dir=engine_dir))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    engine.layout.run.symlink_to(elsewhere)
    with pytest.raises(EngineError, match="belongs to somebody else"):
        engine.ensure_running()


def test_prompts_and_documentation_are_the_instances_own(engine: PrivateEngine) -> None:
    engine.ensure_running()
    for language in ("en", "de"):
        assert list((engine.layout.data / "sounds" / language).glob("vm-goodbye.*")), language
    trimmed = engine.layout.data / "documentation" / "core-en_US.xml"
    elements = list(ElementTree.parse(trimmed).getroot())
    assert [element for element in elements if element.tag == "configInfo" and len(element)]
    assert not [element.get("name") for element in elements if element.tag != "configInfo" and len(element)]
    assert "XML documentation" not in (engine.layout.log / "console.log").read_text()


def test_the_folders_are_private(engine: PrivateEngine) -> None:
    engine.ensure_running()
    for name in ("etc", "varlib", "log", "spool", "data", "keys", "run"):
        assert getattr(engine.layout, name).stat().st_mode & 0o077 == 0, name


def test_a_command_is_one_line(engine: PrivateEngine) -> None:
    engine.ensure_running()
    with pytest.raises(ValueError, match="one line"):
        engine.cli("core show version\nstop now")


def test_a_mute_control_socket_is_not_waited_for_long(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "asterisk.ctl"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        before = time.monotonic()
        with pytest.raises(control.ControlError):
            control.ask(path, "core show version", timeout=0.2)
        assert time.monotonic() - before < 30


def test_install_does_nothing_where_there_is_one(engine_dir: Path, tmp_path: Path) -> None:
    said: list[str] = []
    version = install(Settings(home=tmp_path, engine_dir=engine_dir), said.append)
    assert said == [f"Asterisk {version} is here already."]


def test_a_half_unpacked_tree_does_not_count(tmp_path: Path) -> None:
    tree = private_tree(tmp_path)
    Path(tree.command[-1]).parent.mkdir(parents=True)
    Path(tree.command[-1]).touch()
    assert not tree.complete


def test_layout_keeps_all_below_the_state_folder(tmp_path: Path) -> None:
    paths = layout(Settings(home=tmp_path))
    for name in ("etc", "varlib", "log", "spool", "data", "keys", "run"):
        assert getattr(paths, name).is_relative_to(tmp_path), name


def test_versions_are_said_short() -> None:
    assert short("22.10.1+dfsg+~cs6.17") == "22.10.1"


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("22.9.0", True), ("22.10.1", True), ("1:22.10.1~dfsg+~cs6-1", True), ("23.3.0", True), ("24.0.0", True),
        ("22.8.2", False), ("23.2.1", False), ("21.12.0", False), ("20.19.0", False), ("", False), ("git", False),
    ],
)  # fmt: skip
def test_which_versions_understand_our_files(version: str, good: bool) -> None:
    assert usable(version) == good


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    """Makes an ``asterisk`` that answers ``-V`` like a package of that version; the settings to use it."""

    def make(said: str, kind: str = "system") -> Settings:
        program = tmp_path / "bin" / "asterisk"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n[ \"$1\" = -V ] && echo '{said}'\n")
        program.chmod(0o755)
        share = tmp_path / "share"
        (share / "documentation").mkdir(parents=True, exist_ok=True)
        (share / "documentation" / "core-en_US.xml").touch()
        monkeypatch.setattr(layout_module, "system_tree", lambda: Tree((str(program),), program.parent, share))
        return Settings(home=tmp_path / "home", engine_dir=tmp_path / "engine", engine=kind)

    return make


@pytest.mark.parametrize(
    "said", ["Asterisk 20.6.0~dfsg+~cs6.13.40431414-2build5", "Asterisk 22.8.2", "Asterisk certified/20.7-cert2"]
)
@pytest.mark.parametrize(("kind", "cure"), [("system", "PBXWEB_ENGINE=private"), ("private", "app.py engine install")])
def test_an_asterisk_that_is_too_old_is_named_and_not_started(
    distribution: Callable[..., Settings], said: str, kind: str, cure: str
) -> None:
    engine = engine_for(distribution(said, kind))
    assert engine.installed() is None
    with pytest.raises(EngineError) as refused:
        engine.prepare()
    text = str(refused.value)
    assert short(said.split()[1].removeprefix("certified/")) in text
    assert "22.9 or newer" in text
    assert cure in text


def test_the_fetched_asterisk_goes_before_the_distributions(
    distribution: Callable[..., Settings], engine_dir: Path
) -> None:
    settings = replace(distribution("Asterisk 22.10.1", "private"), engine_dir=engine_dir)
    assert PrivateEngine(settings).tree == private_tree(engine_dir)


BOOKWORM = {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}
NOBLE = {
    "ID": "ubuntu",
    "ID_LIKE": "debian",
    "VERSION_ID": "24.04",
    "VERSION_CODENAME": "noble",
    "UBUNTU_CODENAME": "noble",
}


def test_sources_are_read_in_both_notations() -> None:
    old = list(
        one_line(
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # x\n#deb a b c\n"
        )
    )
    new = list(
        paragraphs(
            "# c\nTypes: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n"
            "Components: main\nSigned-By: /k.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://x\nSuites: y\nComponents: z\n"
        )
    )
    assert old == [Source("http://mirror.example/debian", ("bookworm",), ("main", "contrib"), "/k.gpg")]
    assert new == [Source("http://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main",), "/k.gpg")]


def test_an_older_debian_takes_asterisk_from_forky() -> None:
    own = [
        Source("http://other.example/tools", ("bookworm",), ("main",), "/other.gpg"),
        Source("http://mirror.example/debian", ("bookworm",), ("main",), "/k.gpg"),
    ]
    assert asterisk_source(own, BOOKWORM) == Source("http://mirror.example/debian", ("forky",), ("main",), "/k.gpg")


def test_a_newer_debian_takes_its_own() -> None:
    own = [Source("http://mirror.example/debian", ("duke",), ("main",), "/k.gpg")]
    release = {"ID": "debian", "VERSION_ID": "15", "VERSION_CODENAME": "duke"}
    assert asterisk_source(own, release).suites == ("duke",)


def test_ubuntu_takes_asterisk_from_debian_and_the_keys_from_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [Source("http://mirror.example/ubuntu", ("noble", "noble-updates"), ("main", "universe"), "/k.gpg")]
    monkeypatch.setattr(apt_sources, "DEBIAN_KEYRING", Path("/nowhere"))
    assert asterisk_source(own, NOBLE) == Source("http://deb.debian.org/debian", ("forky",), ("main",), "")
    assert asterisk_source(own, NOBLE, "http://nas.example/debian").uri == "http://nas.example/debian"
    keys = keyring_source(own, NOBLE)
    assert keys == Source("http://mirror.example/ubuntu", ("noble",), ("main", "universe"), "/k.gpg")
    with pytest.raises(SourcesError, match="sudo apt-get install debian-archive-keyring"):
        keyring_source([], NOBLE)


def test_the_mirror_setting_overrides() -> None:
    own = [Source("http://mirror.example/debian", ("bookworm",), ("main",), "/k.gpg")]
    found = asterisk_source(own, BOOKWORM, "http://nas.example/debian")
    assert (found.uri, found.signed_by) == ("http://nas.example/debian", "/k.gpg")
    assert "URIs: http://nas.example/debian\n" in found.deb822()


def test_no_source_and_no_debian_say_what_to_do() -> None:
    with pytest.raises(SourcesError, match="PBXWEB_APT_MIRROR"):
        asterisk_source([], BOOKWORM)
    with pytest.raises(SourcesError, match=r"install Asterisk 22\.9"):
        asterisk_source([], {"ID": "fedora", "PRETTY_NAME": "Fedora"})


def test_os_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_text('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n# c\n')
    assert os_release(path) == {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12"}
    assert os_release(tmp_path / "none") == {}
