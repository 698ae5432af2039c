"""The Asterisk process of one instance: found, started, watched, stopped. It outlives the web process on purpose."""

from __future__ import annotations

import fcntl
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pbxweb.asterisk import control, layout, process
from pbxweb.settings import Address, Settings

# The first release of each series whose CDR and CEL files can be written as ours are; later series have it all.
USABLE_FROM = {22: 9, 23: 3}
OLDEST_USABLE = "22.9"
START_SECONDS = 20.0
CONSOLE_LOG_BYTES = 1_000_000
SYSTEM_UNIT = "asterisk.service"


class EngineError(RuntimeError):
    """Asterisk cannot be run; the text says why and what to do."""


@dataclass(frozen=True)
class Status:
    """How Asterisk is: ``pid`` is None when it does not run; ``uptime`` in seconds, ``memory`` in bytes."""

    running: bool
    pid: int | None = None
    version: str = ""
    uptime: float = 0.0
    memory: int = 0


class Engine(Protocol):
    """What the rest of the house knows of Asterisk as a process."""

    def installed(self) -> str | None:
        """The version that would run, None when there is none or it is too old."""

    def prepare(self) -> None:
        """Make the instance's folders, with prompts and sounds in them. Raises EngineError."""

    def ensure_running(self) -> int:
        """Take over the Asterisk of this instance or start it; its pid once it has booted. Raises EngineError."""

    def stop(self, timeout: float = 2.0) -> None:
        """End it: politely, after ``timeout`` seconds by force. Does nothing when it does not run."""

    def wait_gone(self, pid: int, timeout: float | None = None) -> bool:
        """Wait until the process ``pid`` has ended (at most ``timeout`` seconds); whether it has."""

    def status(self) -> Status:
        """How it is right now."""

    def cli(self, command: str, timeout: float = 5.0) -> str:
        """The answer to a CLI command. Raises EngineError when Asterisk does not answer."""


class _Instance:
    """What both kinds share: the folders, the control socket and the process behind it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.layout = layout.layout(settings)
        self.tree = layout.choose_tree(settings)

    def installed(self) -> str | None:
        self.tree = layout.choose_tree(self.settings)
        return version_of(self.tree) if self.tree.complete else None

    def prepare(self) -> None:
        self.tree = layout.choose_tree(self.settings)
        if not self.tree.complete:
            raise EngineError("There is no Asterisk here yet. Run: python app.py engine install")
        if self.tree == layout.system_tree():
            self._refuse_old()
        from pbxweb.asterisk import instance

        try:
            instance.prepare(self.layout, self.tree)
        except OSError as error:
            raise EngineError(f"The folders of Asterisk cannot be made: {error}") from error

    def _refuse_old(self) -> None:
        """The distribution's Asterisk may be of any age; ours was chosen when it was fetched."""
        version = any_version_of(self.tree)
        if version is not None and usable(version):
            return
        found = f"is Asterisk {version}" if version else "does not say which Asterisk it is"
        chosen = "set PBXWEB_ENGINE=private and run" if self.settings.engine == "system" else "run"
        raise EngineError(
            f"{self.tree.command[-1]} {found}, but pbxweb needs Asterisk {OLDEST_USABLE} or newer. "
            f"Install a newer one, or {chosen}: python app.py engine install"
        )

    def wait_gone(self, pid: int, timeout: float | None = None) -> bool:
        return process.wait_gone(pid, timeout)

    def status(self) -> Status:
        try:
            answer = control.ask(self.layout.control_socket, "core show version", timeout=2)
            up, used = process.uptime(answer.pid), process.memory(answer.pid)
            return Status(running=True, pid=answer.pid, version=short(answer.version), uptime=up, memory=used)
        except OSError:
            return Status(running=False)

    def cli(self, command: str, timeout: float = 5.0) -> str:
        try:
            return control.ask(self.layout.control_socket, command, timeout).text
        except control.ControlError as error:
            raise EngineError(str(error)) from error

    def _booted(self, timeout: float) -> int:
        """The pid of the Asterisk that answers, once it has fully booted. Raises ControlError."""
        answer = control.ask(self.layout.control_socket, "core waitfullybooted", timeout)
        if "fully booted" not in answer.text:
            raise control.ControlError("Asterisk hung up before it had booted")
        return answer.pid


class PrivateEngine(_Instance):
    """An Asterisk of our own: an ordinary process of this user in a session of its own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._child: subprocess.Popen[bytes] | None = None

    def ensure_running(self) -> int:
        with self._one_at_a_time():
            pid = process.find_instance(self.layout.config)
            if pid is not None:
                if self._answers(pid, START_SECONDS / 2):
                    return pid
                process.end(pid, timeout=1)
            return self._start()

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Threads and commands that want it started wait for each other: there are never two."""
        try:
            lock = (self.settings.asterisk / "start.lock").open("w")
        except OSError as error:
            raise EngineError(f"Asterisk cannot be started: {error}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def stop(self, timeout: float = 2.0) -> None:
        pid = process.find_instance(self.layout.config)
        if pid is not None:
            process.end(pid, timeout)
        self._reap()

    def wait_gone(self, pid: int, timeout: float | None = None) -> bool:
        gone = super().wait_gone(pid, timeout)
        self._reap()
        return gone

    def _reap(self) -> None:
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _answers(self, pid: int, timeout: float) -> bool:
        """Wait until ``pid`` has booted; False when it ends or says nothing for ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                return self._booted(left) == pid
            except control.ControlError:
                if process.wait_gone(pid, 0.01):
                    return False
        return False

    def _start(self) -> int:
        self.prepare()
        _refuse_taken_ports(self.settings)
        if not self.layout.config.is_file():
            raise EngineError(f"{self.layout.config} is missing. Run: python app.py config apply")
        try:
            self.layout.control_socket.unlink(missing_ok=True)
            self._child = self._spawn()
        except OSError as error:
            raise EngineError(f"Asterisk cannot be started: {error}") from error
        child = self._child
        if not self._answers(child.pid, START_SECONDS):
            process.end(child.pid, timeout=0.5)
            self._reap()
            raise EngineError(f"Asterisk did not start. Its last words:\n{self._last_words()}")
        return child.pid

    def _spawn(self) -> subprocess.Popen[bytes]:
        console = self._console_log
        if console.exists() and console.stat().st_size > CONSOLE_LOG_BYTES:
            console.replace(console.with_suffix(".log.1"))
        with console.open("ab") as output:
            return subprocess.Popen(
                [*self.tree.command, "-C", str(self.layout.config), "-f"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.layout.varlib,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(self.layout.varlib)},
                start_new_session=True,
                umask=0o077,
            )

    @property
    def _console_log(self) -> Path:
        return self.layout.log / "console.log"

    def _last_words(self) -> str:
        try:
            text = self._console_log.read_text(errors="replace")
        except OSError:
            return "(none)"
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text[-20_000:]).strip().splitlines()
        return "\n".join([line for line in lines if "XML documentation" not in line][-8:]) or "(none)"


class SystemEngine(_Instance):
    """The Asterisk that the service manager runs, with our configuration folder."""

    def ensure_running(self) -> int:
        try:
            return self._booted(START_SECONDS)
        except control.ControlError:
            pass
        self.prepare()
        self._systemctl("start")
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._booted(START_SECONDS)
            except control.ControlError as error:
                if time.monotonic() > deadline:
                    raise EngineError(f"{SYSTEM_UNIT} was started, but {error}") from error
                time.sleep(0.1)

    def stop(self, timeout: float = 2.0) -> None:
        """The service manager's Asterisk lives on when pbxweb ends."""

    def _systemctl(self, verb: str) -> None:
        if shutil.which("systemctl") is None:
            raise EngineError(
                "PBXWEB_ENGINE=system: Asterisk does not run, and there is no systemctl to start it with. "
                "Start it yourself, or use PBXWEB_ENGINE=private"
            )
        done = subprocess.run(
            ["systemctl", "--no-ask-password", verb, SYSTEM_UNIT], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise EngineError(f"systemctl {verb} {SYSTEM_UNIT} failed: {done.stderr.strip()}")


def _refuse_taken_ports(settings: Settings) -> None:
    """Asterisk starts without a port that another program has: no phone could sign in, or pbxweb asked the other."""
    manager = Address("127.0.0.1", settings.ami_port)
    secure = Address(settings.sip_bind.host, settings.sip_tls_port)
    for name, address, kind in (
        (f"PBXWEB_AMI_PORT={settings.ami_port}", manager, socket.SOCK_STREAM),
        (f"PBXWEB_SIP_BIND={settings.sip_bind}", settings.sip_bind, socket.SOCK_DGRAM),
        (f"PBXWEB_SIP_BIND={settings.sip_bind}", settings.sip_bind, socket.SOCK_STREAM),
        (f"PBXWEB_SIP_TLS_PORT={settings.sip_tls_port}", secure, socket.SOCK_STREAM),
    ):
        with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                raise EngineError(f"{name}: cannot be used: {error.strerror}") from error


def engine_for(settings: Settings) -> PrivateEngine | SystemEngine:
    """The engine that ``settings`` ask for. Nothing is started."""
    return SystemEngine(settings) if settings.engine == "system" else PrivateEngine(settings)


def any_version_of(tree: layout.Tree) -> str | None:
    """``22.10.1`` as the program of ``tree`` says it, however old it is; None when it does not run."""
    try:
        done = subprocess.run([*tree.command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"Asterisk (?:certified[-/])?(\d+\.\S*)", done.stdout)
    return short(match[1]) if match else None


def version_of(tree: layout.Tree) -> str | None:
    """The version of ``tree``; None when it does not run or is too old."""
    version = any_version_of(tree)
    return version if version and usable(version) else None


def usable(version: str) -> bool:
    """Whether this Asterisk understands all that is rendered. In: ``22.10.1``, or a package's ``1:22.10.1~dfsg-1``."""
    match = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
    if match is None:
        return False
    series, release = int(match[1]), int(match[2])
    return series > max(USABLE_FROM) or release >= USABLE_FROM.get(series, release + 1)


def short(version: str) -> str:
    """``22.10.1+dfsg+~cs6`` as a person says it: ``22.10.1``."""
    return re.split(r"[+~]", version)[0]
