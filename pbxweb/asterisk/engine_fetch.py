"""``engine install``: Debian's own Asterisk packages, fetched by apt into the state folder, without root."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pbxweb.asterisk.apt_sources import (
    KEYRING_PACKAGE,
    Source,
    SourcesError,
    asterisk_source,
    keyring_source,
    os_release,
    read_sources,
)
from pbxweb.asterisk.engine import OLDEST_USABLE, EngineError, usable, version_of
from pbxweb.asterisk.layout import private_tree, system_tree

if TYPE_CHECKING:
    from pbxweb.settings import Settings

PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "asterisk-prompt-de")
TOOLS = ("apt-get", "apt-cache", "dpkg-deb")
# Packages of the closure whose programs only an installation needs, never a running Asterisk.
UNUSED_PACKAGES = re.compile(
    r"(adduser|base-passwd|debconf|dirmngr|gnupg|gpg|pinentry|perl|libperl|passwd|login\.defs|tzdata|libpam-"
    r"|asterisk-config|libsemanage|libsepol|pci\.ids|libicu-|gcc-\d+-base|readline-common|libc-gconv)"
)
# What is left of the tree, by path below it.
KEPT = ("usr/lib", "usr/lib64", "usr/sbin/asterisk", "usr/share/asterisk", "lib", "lib64")
DROPPED = ("usr/lib/*/gconv", "usr/lib/*/perl*", "usr/lib/systemd", "usr/lib/gnupg*", "usr/lib/tmpfiles.d")

Say = Callable[[str], None]


def install(settings: Settings, say: Say, *, again: bool = False) -> str:
    """Make sure that there is an Asterisk to run; its version.

    Fetches one only where neither the state folder nor the distribution has one (``again``: in any case).
    ``say`` is told each step. Whatever stops it, the engine folder holds the old tree, the new one, or none, and
    the next call goes on with what was downloaded. Raises EngineError.
    """
    folder = settings.engine_dir
    if not again:
        for tree in (private_tree(folder), system_tree()):
            version = version_of(tree) if tree is not None and tree.complete else None
            if version:
                say(f"Asterisk {version} is here already.")
                return version
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            return _fetch(settings, folder, say)
    except OSError as error:
        raise EngineError(f"Asterisk could not be fetched into {folder}: {error}") from error


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(settings: Settings, folder: Path, say: Say) -> str:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise EngineError(
            f"Asterisk is fetched with apt, but {missing[0]} is not here. Install Asterisk {OLDEST_USABLE} or newer, "
            "so that `asterisk` is on the PATH"
        )
    try:
        source = asterisk_source(read_sources(), os_release(), settings.apt_mirror)
        if not source.signed_by:
            keys = keyring_source(read_sources(), os_release())
            source = replace(source, signed_by=str(fetch_keyring(folder / ".keys", keys, say)))
    except SourcesError as error:
        raise EngineError(str(error)) from error
    apt = Apt(folder / ".apt")
    apt.prepare(source.deb822())
    say(f"Fetching Asterisk: reading the package list of {source.suites[0]} …")
    apt.run("update", "-qq")
    candidate = apt.candidate("asterisk")
    if not usable(candidate):
        raise EngineError(
            f"The package list of {source.suites[0]} has "
            + (f"only Asterisk {candidate}" if candidate else "no Asterisk")
            + f". Install Asterisk {OLDEST_USABLE} or newer, so that `asterisk` is on the PATH"
        )
    total = apt.download(PACKAGES, say)
    say(f"Unpacking {total} packages …")
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    packages = _unpack(apt.archives, new / "tree")
    _prune(new / "tree")
    version = version_of(private_tree(new))
    if version is None:
        raise EngineError(f"The unpacked Asterisk does not run on this machine (it lies in {new})")
    (new / "tree" / "packages.json").write_text(json.dumps(packages, indent=1) + "\n", encoding="utf-8")
    _swap(new / "tree", folder / "tree")
    shutil.rmtree(new, ignore_errors=True)
    for done in (apt.home, folder / ".keys"):
        shutil.rmtree(done, ignore_errors=True)
    say(f"Asterisk {version} is ready.")
    return version


def fetch_keyring(home: Path, source: Source, say: Say) -> Path:
    """The keys that Debian signs its archive with, from the package that ``source`` has of them. Raises EngineError."""
    say("Fetching the keys of Debian's archive …")
    apt = Apt(home)
    apt.prepare(source.deb822())
    apt.run("update", "-qq")
    apt.run("install", "-y", "-qq", "--download-only", KEYRING_PACKAGE)
    for archive in apt.archives.glob(f"{KEYRING_PACKAGE}_*.deb"):
        _extract(archive, home / "tree")
    keyring = home / "tree" / "usr/share/keyrings" / f"{KEYRING_PACKAGE}.gpg"
    if not keyring.exists():
        raise EngineError(f"{source.suites[0]} has no keys of Debian. Run: sudo apt-get install {KEYRING_PACKAGE}")
    return keyring


class Apt:
    """An apt with a state of its own below ``home``: it knows no installed package and needs no root."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.archives = home / "cache" / "archives"

    def prepare(self, sources: str) -> None:
        """Make the folders and write the one source."""
        (self.home / "state" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        (self.home / "status").write_bytes(b"")
        (self.home / "asterisk.sources").write_text(sources, encoding="utf-8")

    def _words(self, program: str) -> list[str]:
        options = {
            "Dir::State": self.home / "state",
            "Dir::State::status": self.home / "status",
            "Dir::Cache": self.home / "cache",
            "Dir::Etc::sourcelist": self.home / "asterisk.sources",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "Debug::NoLocking": "true",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Get::List-Cleanup": "false",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        return [program, *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]

    def run(self, *words: str, program: str = "apt-get") -> str:
        """What apt printed. Raises EngineError with apt's own reason."""
        done = subprocess.run(
            [*self._words(program), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            reason = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))] or [done.stderr]
            raise EngineError("apt could not fetch Asterisk: " + " ".join(reason[-2:]).strip())
        return done.stdout

    def candidate(self, package: str) -> str:
        """The version of ``package`` that would be fetched; empty when there is none."""
        match = re.search(r"Candidate: (\S+)", self.run("policy", package, program="apt-cache"))
        return match[1] if match and match[1] != "(none)" else ""

    def download(self, packages: tuple[str, ...], say: Say) -> int:
        """Fetch ``packages`` and all they depend on, saying how far it is; the number of packages."""
        plan = self.run("install", "-y", "-qq", "--print-uris", *packages)
        sizes = [int(size) for size in re.findall(r"^'[^']+' \S+ (\d+)", plan, re.MULTILINE)]
        total = sum(sizes)
        done = threading.Event()
        reporter = threading.Thread(target=self._report, args=(total, done, say), daemon=True)
        reporter.start()
        try:
            self.run("install", "-y", "-qq", "--download-only", *packages)
        finally:
            done.set()
            reporter.join()
        return len(list(self.archives.glob("*.deb")))

    def _report(self, total: int, done: threading.Event, say: Say) -> None:
        before = self._downloaded()
        say(f"Downloading {total / 1e6:.0f} MB …")
        while not done.wait(3):
            got = self._downloaded() - before
            say(f"  {min(got, total) / 1e6:.0f} of {total / 1e6:.0f} MB")

    def _downloaded(self) -> int:
        sizes = 0
        for path in self.archives.rglob("*"):
            try:
                sizes += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue  # apt renamed it just now
        return sizes


def _unpack(archives: Path, tree: Path) -> list[str]:
    tree.mkdir(parents=True)
    names = []
    for archive in sorted(archives.glob("*.deb")):
        if UNUSED_PACKAGES.match(archive.name):
            continue
        _extract(archive, tree)
        names.append(archive.name.removesuffix(".deb"))
    return names


def _extract(archive: Path, tree: Path) -> None:
    done = subprocess.run(["dpkg-deb", "-x", str(archive), str(tree)], capture_output=True, text=True, check=False)
    if done.returncode:
        archive.unlink()  # a damaged download is fetched again next time
        raise EngineError(f"{archive.name} cannot be unpacked: {done.stderr.strip()}. Run it again")


def _prune(tree: Path) -> None:
    """Drop what a running Asterisk never reads."""
    kept = {tree / path for path in KEPT}
    above = {parent for path in kept for parent in path.parents}
    for folder in (tree, tree / "usr", tree / "usr/share", tree / "usr/sbin"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path not in kept and path not in above:
                _remove(path)
    for pattern in DROPPED:
        for path in tree.glob(pattern):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _swap(new: Path, final: Path) -> None:
    """Put ``new`` in the place of ``final``. A running Asterisk keeps the files that it has open."""
    old = final.with_name(".old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)
