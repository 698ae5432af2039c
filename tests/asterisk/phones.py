"""Phones for tests: baresip, driven over its control socket, each speaking a tone of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pbxweb.settings import Settings
from tests.asterisk.pbx import HOST, free_range, password_of, until
from tests.asterisk.sound import read_growing, share, write_tone

BARESIP_CODECS = {"opus": "opus/48000/2", "g722": "G722/16000/1", "pcma": "PCMA/8000/1", "pcmu": "PCMU/8000/1"}
MODULES = Path("/usr/lib/baresip/modules")
CONFIG = """\
poll_method epoll
sip_listen {host}:{sip}
net_interface {host}
call_local_timeout 60
call_max_calls 6
audio_player aubridge,ear-{name}
audio_source aufile,{folder}/voice.wav
audio_alert aubridge,ear-{name}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_level no
rtp_tos 0
rtp_ports {rtp}-{rtp_last}
rtcp_mux no
jitter_buffer_delay 0-0
snd_path {folder}
opus_bitrate 28000
ctrl_tcp_listen {host}:{control}
module_path {modules}
module g711.so
module g722.so
module opus.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""


class Phone:
    """One baresip. ``codec`` is a key of BARESIP_CODECS; ``answer`` is ``auto`` or ``manual``."""

    def __init__(
        self,
        folder: Path,
        number: str,
        server_port: int,
        *,
        hertz: int = 440,
        codec: str = "pcma",
        answer: str = "manual",
        transport: str = "udp",
        srtp: bool = False,
        password: str | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.number, self.hertz, self.server_port = folder, number, hertz, server_port
        self.events: list[dict[str, object]] = []
        self._answers: dict[str, dict[str, object]] = {}
        self._count = 0
        self._news = threading.Condition()
        write_tone(folder / "voice.wav", hertz)
        # SIP takes two (the second for TLS), the control socket one, sound the rest.
        sip = free_range(40).first
        self.control_port, rtp = sip + 3, sip + 8
        (folder / "config").write_text(
            CONFIG.format(
                host=HOST, sip=sip, rtp=rtp, rtp_last=rtp + 30, folder=folder, control=self.control_port,
                modules=MODULES, name=f"{number}-{sip}",
            )
        )  # fmt: skip
        (folder / "accounts").write_text(
            f"<sip:{number}@{HOST}:{server_port};transport={transport}>;auth_user={number}"
            f";auth_pass={password or password_of(number)};regint=120;answermode={answer}"
            f";audio_codecs={BARESIP_CODECS[codec]};dtmfmode=rtpevent;ptime=20"
            + (";mediaenc=srtp-mand" if srtp else "")
            + "\n"
        )
        self._log = (folder / "baresip.log").open("wb")
        self._process = subprocess.Popen(
            ["baresip", "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            cwd=folder,
        )  # fmt: skip
        try:
            self._socket = self._connect()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.command("listcalls")  # answered, so baresip has taken the connection: no event is lost from here on

    def _connect(self) -> socket.socket:
        def attempt() -> socket.socket | None:
            assert self._process.poll() is None, self.log()
            try:
                return socket.create_connection((HOST, self.control_port), timeout=5)
            except OSError:
                return None

        connection = until(attempt, what="baresip's control socket")
        connection.settimeout(None)
        return connection

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b":" in buffer:
                size, _, rest = buffer.partition(b":")
                if len(rest) <= int(size):
                    break
                body, buffer = rest[: int(size)], rest[int(size) + 1 :]
                message = json.loads(body.decode(errors="replace"))
                with self._news:
                    if message.get("response"):
                        self._answers[str(message.get("token"))] = message
                    else:
                        self.events.append(message)
                    self._news.notify_all()

    def command(self, name: str, params: str = "") -> str:
        """Run a baresip command; what it printed."""
        self._count += 1
        token = str(self._count)
        body = json.dumps({"command": name, "params": params, "token": token}).encode()
        self._socket.sendall(b"%d:%s," % (len(body), body))
        with self._news:
            assert self._news.wait_for(lambda: token in self._answers, 30), f"{name}: baresip is silent\n{self.log()}"
            return str(self._answers.pop(token).get("data", ""))

    def wait(self, kind: str, timeout: float = 30.0, count: int = 1) -> dict[str, object]:
        """The ``count``th event of that type since ``forget``."""

        def found() -> list[dict[str, object]]:
            return [event for event in self.events if event.get("type") == kind]

        with self._news:
            there = self._news.wait_for(lambda: len(found()) >= count, timeout)
            kinds = [f"{e.get('type')} {e.get('param', '')}" for e in self.events]
            assert there, f"{self.number}: no {kind} in {timeout} s, only {kinds}\n{self.log()}"
            return found()[count - 1]

    def saw(self, kind: str) -> bool:
        """Whether an event of that type came since ``forget``."""
        return any(event.get("type") == kind for event in self.events)

    def forget(self) -> None:
        """Begin to count events anew."""
        self.events.clear()

    def registered(self) -> Phone:
        """Wait for the sign-in (it may be over before the control socket is open, so baresip's own words count)."""

        def signed_in() -> bool:
            assert "reg: " not in self.log() or " 40" not in self.log(), self.log()
            return "200 OK" in self.log()

        until(signed_in, what=f"{self.number} to register")
        return self

    def dial(self, number: str) -> Phone:
        """Call; returns at once."""
        self.command("dial", f"sip:{number}@{HOST}:{self.server_port}")
        return self

    def answer(self) -> Phone:
        """Take the call that rings, once it does."""
        self.wait("CALL_INCOMING")
        self.command("accept")
        return self

    def talking(self, timeout: float = 30.0) -> Phone:
        """Wait until the call is answered."""
        self.wait("CALL_ESTABLISHED", timeout)
        return self

    def joined(self) -> Phone:
        """Wait for sound: Asterisk joins the two a moment after both are talking, and transfers nobody before."""
        assert len(self.heard(0.2)[0]), f"{self.number} hears nothing\n{self.log()}"
        return self

    def hang_up(self) -> Phone:
        """End the current call."""
        self.command("hangup")
        return self

    def closed(self, timeout: float = 30.0) -> str:
        """Wait for the end of the call; the reason (``486 Busy Here``), empty for a normal end."""
        return str(self.wait("CALL_CLOSED", timeout).get("param", ""))

    def press(self, digits: str) -> Phone:
        """Send DTMF, one digit after the other."""
        for digit in digits:
            self.command("sndcode", digit)
            time.sleep(0.12)
            self.command("sndcode", "\x04")
            time.sleep(0.08)
        return self

    def transfer(self, number: str) -> Phone:
        """The phone's own transfer key, blind."""
        self.joined()
        self.command("transfer", f"sip:{number}@{HOST}:{self.server_port}")
        return self

    def log(self) -> str:
        """What baresip printed, without its ticker."""
        lines = (self.folder / "baresip.log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.strip() and "(bit/s)" not in line)

    def heard(self, seconds: float = 1.0, timeout: float = 30.0) -> tuple[np.ndarray, int]:
        """What comes into the ear from now on, for ``seconds``: new sound, not what was heard before."""
        sizes = {path: path.stat().st_size for path in self.folder.glob("dump-*-dec.wav")}
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for path in sorted(self.folder.glob("dump-*-dec.wav"), key=lambda p: -p.stat().st_mtime):
                samples, rate = read_growing(path)
                old = max(0, (sizes.get(path, 44) - 44) // 2)
                if len(samples) - old >= seconds * rate:
                    return samples[len(samples) - int(seconds * rate) :], rate
            time.sleep(0.05)
        return np.zeros(0), 8000

    def hears(self, hertz: float, seconds: float = 1.0, timeout: float = 30.0) -> bool:
        """Whether a tone comes into the ear, clearly above everything else, within ``timeout``."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            samples, rate = self.heard(seconds, deadline - time.monotonic())
            if share(samples, rate, hertz) > 0.8:
                return True
        return False

    def close(self) -> None:
        """Sign out and end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(30)  # it signs out; a device left behind would ring in the next test
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(2)
        self._log.close()


class Phones:
    """The phones of one test; ``close`` ends them all."""

    def __init__(self, folder: Path, server_port: int, tls_port: int = 0) -> None:
        self.folder, self.port, self.tls_port = folder, server_port, tls_port
        self.all: list[Phone] = []

    def add(self, number: str, **options: object) -> Phone:
        """Start a phone and wait until it is registered. Options as in Phone."""
        return self.start(number, **options).registered()

    def start(self, number: str, **options: object) -> Phone:
        """Start a phone; it may fail to register."""
        given = {"hertz": 400 + 130 * len(self.all)} | options
        port = self.tls_port if given.get("transport") == "tls" else self.port
        phone = Phone(self.folder / f"phone{len(self.all)}", number, port, **given)  # type: ignore[arg-type]
        self.all.append(phone)
        return phone

    def close(self) -> None:
        """End all phones."""
        for phone in self.all:
            phone.close()
            shutil.rmtree(phone.folder, ignore_errors=True)
        self.all.clear()


@contextlib.contextmanager
def phones_at(settings: Settings, folder: Path) -> Iterator[Phones]:
    """Starts phones at the instance with these settings; ends them all."""
    made = Phones(folder, settings.sip_bind.port, settings.sip_tls_port)
    try:
        yield made
    finally:
        made.close()
