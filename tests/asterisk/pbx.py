"""A real Asterisk with the real configuration, on free ports, for tests."""

from __future__ import annotations

import os
import random
import re
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pbxweb.asterisk.ami import AmiLink
from pbxweb.asterisk.ami_messages import Event
from pbxweb.asterisk.certificate import make_certificate
from pbxweb.asterisk.conf import marker_of, reload_of, with_marker
from pbxweb.asterisk.engine import PrivateEngine
from pbxweb.asterisk.sounds import make_sounds
from pbxweb.extensions import conf as phones_conf
from pbxweb.extensions.conf import ExtensionConf, digest_of
from pbxweb.room import Piece
from pbxweb.settings import Address, PortRange, Settings
from pbxweb.system import conf as base_conf
from pbxweb.system.conf import BaseConf

HOST = "127.0.0.1"
SECRET = "made-for-a-test"
T = TypeVar("T")


def password_of(number: str) -> str:
    """The SIP password of a test phone."""
    return f"secret-{number}"


def extension(number: str, **fields: object) -> ExtensionConf:
    """A phone with the test password; ``fields`` as in ExtensionConf."""
    given = {"display_name": f"Phone {number}", "digest": digest_of(number, password_of(number))} | fields
    return ExtensionConf(number, **given)  # type: ignore[arg-type]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now, for TCP and UDP alike; no two are the same."""
    found: list[int] = []
    while len(found) < count:
        port = free_range(1).first
        if port not in found:
            found.append(port)
    return found


def free_range(size: int) -> PortRange:
    """A range of ports of which none is used now (UDP or TCP).

    It lies below the ports that the system gives to outgoing connections, which could take it while nobody listens,
    and among those of this process: others that test beside it look for ports at the same moment.
    """
    first_of_all, last_of_all = _own_ports()
    for _ in range(200):
        first = random.randrange(first_of_all, last_of_all - size, 2)
        sockets = []
        try:
            for port in range(first, first + size):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    sockets.append(socket.socket(socket.AF_INET, kind))
                    sockets[-1].bind((HOST, port))
        except OSError:
            continue
        else:
            return PortRange(first, first + size - 1)
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def _own_ports() -> tuple[int, int]:
    """The ports of this process of a test run: the first, and the first of the next."""
    first, last = 10_000, 32_600
    worker, all_workers = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if not worker:
        return first, last
    share = (last - first) // all_workers // 2 * 2
    own = first + int(worker.removeprefix("gw")) * share
    return own, own + share


def until(check: Callable[[], T | None], timeout: float = 30.0, what: str = "it to happen") -> T:
    """Wait until ``check`` gives something true, and return that. The limit is for what hangs, not for what is slow."""
    deadline = time.monotonic() + timeout
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}; last: {found!r}")
        time.sleep(0.02)


class Pbx:
    """One Asterisk below ``home``. ``engine_dir`` holds the unpacked tree."""

    def __init__(self, home: Path, engine_dir: Path, *, rtp_ports: int = 120, **base: object) -> None:
        sip, tls, ami, http = free_ports(count=4)
        self.settings = Settings(
            home=home,
            engine_dir=engine_dir,
            http=Address(HOST, http),
            sip_bind=Address(HOST, sip),
            sip_tls_port=tls,
            rtp=free_range(rtp_ports),
            ami_port=ami,
        )
        self.port = sip
        self.base = BaseConf.of(self.settings, ami_secret=SECRET, **base)  # type: ignore[arg-type]
        self.engine = PrivateEngine(self.settings)
        self.ami = AmiLink(HOST, ami, "pbxweb", SECRET)
        self.events: list[Event] = []
        self.ami.on_event(self.events.append)
        self.extensions: tuple[ExtensionConf, ...] = ()

    def pieces(self, extensions: Iterable[ExtensionConf]) -> list[Piece]:
        """All pieces, in the order of the rooms."""
        return [*phones_conf.pieces(extensions), *base_conf.pieces(self.base)]

    def write(self, extensions: Iterable[ExtensionConf]) -> dict[str, str]:
        """Write every file; the texts of those that changed, by name."""
        self.extensions = tuple(extensions)
        texts: dict[str, str] = {}
        for piece in self.pieces(self.extensions):
            texts[piece.file] = texts.get(piece.file, "") + piece.text
        self.settings.asterisk_etc.mkdir(parents=True, exist_ok=True)
        changed = {}
        for file, text in texts.items():
            whole, path = with_marker(file, text), self.settings.asterisk_etc / file
            if not path.exists() or path.read_text() != whole:
                path.write_text(whole)
                changed[file] = whole
        return changed

    def start(self, extensions: Iterable[ExtensionConf]) -> Pbx:
        """Write the files, start Asterisk and connect to it."""
        self.write(extensions)
        make_certificate(self.base.directories.keys)
        make_sounds(self.base.directories.data)
        self.engine.ensure_running()
        self.ami.start()
        assert self.ami.wait(30), self.ami.problem
        return self

    def apply(self, extensions: Iterable[ExtensionConf]) -> None:
        """Change the phones of a running Asterisk, as the applier does."""
        for file, text in self.write(extensions).items():
            self.ami.reload(reload_of(file))
            marker = marker_of(file, text)
            if marker:
                until(lambda m=marker: self.ami.getvar(m.variable) == m.value, what=f"{file} to be live")  # type: ignore[misc]

    def stop(self) -> None:
        """Disconnect and end Asterisk."""
        self.ami.stop()
        self.engine.stop()

    def cli(self, command: str) -> str:
        """Asterisk's answer to a CLI command."""
        return self.engine.cli(command)

    def log(self) -> list[str]:
        """Asterisk's own warnings and errors so far."""
        path = self.base.directories.log / "messages.log"
        return [line for line in path.read_text().splitlines() if "WARNING" in line or "ERROR" in line]

    def channels(self) -> list[str]:
        """The names of all channels."""
        lines = self.cli("core show channels concise").splitlines()
        return [line.split("!")[0] for line in lines if "!" in line]

    def seen(self, event: str, **headers: str) -> list[Event]:
        """The AMI events of that name so far whose headers are these."""
        wanted = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return [e for e in list(self.events) if e.name == event and all(e.get(n) == v for n, v in wanted)]

    def quiet(self) -> None:
        """End every call, forget what phones set, and the events so far: the state between two tests."""
        for name in self.channels():
            self.cli(f"channel request hangup {name}")
        until(lambda: not self.channels(), what="all calls to end")
        for feature in phones_conf.FEATURES.values():
            self.ami.dbdeltree(feature.family)
        for lamp in re.findall(r"^/CustomDevstate/(\w+)", self.cli("database show CustomDevstate"), re.MULTILINE):
            unlit = next(f.unlit for f in phones_conf.FEATURES.values() if f.device == f"Custom:{lamp[:3]}")
            self.ami.setvar(f"DEVICE_STATE(Custom:{lamp})", unlit)
        self.events.clear()

    def forget(self) -> None:
        """Nobody is signed in any more: a phone that was killed would be rung beside the next one."""
        if "registrar" in self.cli("database show registrar"):
            self.ami.dbdeltree("registrar")


def rows(database: Path, query: str, parameters: Sequence[object] = ()) -> list[dict[str, object]]:
    """Rows of one of Asterisk's SQLite files."""
    import sqlite3

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]
