"""A small real Asterisk for the tests of the manager link and the live state: two dozen lines of configuration.

The engine's files are read from ``PBXWEB_ENGINE_DIR`` (default: the checkout's ``var/engine``).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from pbxweb.asterisk import ami_events
from pbxweb.asterisk.layout import Tree, private_tree

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SECRET = "only-for-this-test"
WRITE = "system,call,originate,reporting"
MODULE_NAMES = """
res_timing_timerfd res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb res_crypto res_srtp
res_rtp_asterisk res_http_websocket res_geolocation res_pjsip res_pjsip_acl res_pjsip_caller_id
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_header_funcs res_pjsip_logger
res_pjsip_nat res_pjsip_path res_pjsip_pubsub res_pjsip_refer res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp
res_pjsip_session chan_pjsip chan_bridge_media bridge_builtin_features bridge_holding bridge_native_rtp bridge_simple
bridge_softmix codec_a_mu codec_alaw codec_ulaw format_pcm format_wav app_dial app_echo app_stack app_userevent
app_verbose app_bridgewait app_playtones app_directed_pickup app_db func_callerid func_cdr func_channel func_db
func_env func_global func_logic func_pjsip_aor func_pjsip_contact func_shell func_strings func_timeout pbx_config
res_manager_devicestate res_musiconhold res_parking res_stasis res_stasis_device_state
"""

DIALPLAN = """
[phones]
exten => _1XX,1,Dial(PJSIP/${EXTEN},30,tTkK)
 same => n,Hangup()
exten => *43,1,Answer()
 same => n,Echo()
exten => *78,1,Answer()
 same => n,UserEvent(Feature,Code: *78,Extension: ${CALLERID(num)})
 same => n,Hangup()
exten => _0X.,1,Dial(PJSIP/${EXTEN:1}@trunk-line,30)
include => parkedcalls

[from-trunk]
exten => _X.,1,Dial(PJSIP/${EXTEN},30,tT)
"""


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def engine() -> Tree:
    """The unpacked Asterisk."""
    return private_tree(Path(os.environ.get("PBXWEB_ENGINE_DIR") or CHECKOUT / "var" / "engine"))


class SmallAsterisk:
    """One private instance in a folder of its own; ``start`` waits until the manager port answers."""

    def __init__(self, phones: tuple[str, ...] = ("101", "102", "103")) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="ami-"))
        self.ami_port = free_port()
        self.sip_port = free_port(socket.SOCK_DGRAM)
        self.phones = phones
        self.process: subprocess.Popen[bytes] | None = None
        self._write()

    def _write(self) -> None:
        tree = engine()
        assert tree.complete, "no Asterisk here: run `python app.py engine install` first"
        for name in ("etc", "run", "lib", "log", "spool", "data", "keys"):
            (self.root / name).mkdir()
        (self.root / "data/documentation").symlink_to(tree.share / "documentation")
        moh = self.root / "data/moh"
        moh.mkdir()
        directories = {
            "astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "lib", "astkeydir": "keys", "astdatadir": "data",
            "astagidir": "lib", "astspooldir": "spool", "astrundir": "run", "astlogdir": "log", "astsbindir": "run",
        }  # fmt: skip
        files = {
            "asterisk.conf": "[directories](!)\n[directories]\n"
            + f"astmoddir => {tree.modules}\n"
            + "".join(f"{key} => {self.root / name}\n" for key, name in directories.items()),
            "modules.conf": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULE_NAMES.split()),
            "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error\n",
            "manager.conf": self._manager(),
            "extensions.conf": "[general]\n" + DIALPLAN,
            "pjsip.conf": self._pjsip(),
            "rtp.conf": "[general]\nrtpstart=20000\nrtpend=20999\n",
            "features.conf": "[general]\ntransferdigittimeout=1\n[featuremap]\natxfer => *2\nblindxfer => #1\n",
            "res_parking.conf": "[general]\n[default]\nparkext => 700\nparkpos => 701-709\ncontext => parkedcalls\n"
            "parkingtime => 60\nfindslot => next\ncomebacktoorigin = no\n",
            "musiconhold.conf": f"[default]\nmode=files\ndirectory={moh}\n",
            "cdr.conf": "[general]\nenable=yes\n",
            "cel.conf": "[general]\nenable=no\n",
            "stasis.conf": "[threadpool]\n",
            "pjproject.conf": "[startup]\n",
            "sorcery.conf": "[res_pjsip]\n",
            "http.conf": "[general]\nenabled=no\n",
            "udptl.conf": "[general]\n",
            "ccss.conf": "[general]\n",
            "acl.conf": "[none]\n",
        }
        for name, text in files.items():
            (self.root / "etc" / name).write_text(text)

    def _manager(self) -> str:
        everything = "read = all\nwrite = all\n"
        user = f"secret = {SECRET}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\nwritetimeout = 1000\n"
        return (
            f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nport={self.ami_port}\ntimestampevents=yes\n"
            f"[all]\n{user}{everything}"
            f"[pbxweb]\n{user}read = {ami_events.READ_CLASSES}\nwrite = {WRITE}\n"
            + "".join(f"eventfilter(action(include),name({name})) =\n" for name in ami_events.EVENT_NAMES)
        )

    def _pjsip(self) -> str:
        text = f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{self.sip_port}\n"
        for number in self.phones:
            text += (
                f"[{number}]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\naors={number}\n"
                f"direct_media=no\ncallerid=Phone {number} <{number}>\ntrust_id_inbound=yes\n"
                f"[{number}]\ntype=aor\nmax_contacts=2\nremove_existing=yes\nqualify_frequency=1\n"
            )
        return text + (
            "[trunk-line]\ntype=endpoint\ncontext=from-trunk\ndisallow=all\nallow=ulaw\naors=trunk-line\n"
            "direct_media=no\ntrust_id_inbound=yes\n[trunk-line]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n"
        )

    def start(self) -> SmallAsterisk:
        """Start it and wait until the manager port accepts."""
        command = [*engine().command, "-C", str(self.root / "etc/asterisk.conf"), "-f"]
        with (self.root / "log/output").open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.ami_port), timeout=1) as peer:
                    if peer.recv(20).startswith(b"Asterisk"):
                        return self
            except OSError:
                time.sleep(0.05)
            if self.process.poll() is not None:
                break
        raise RuntimeError("Asterisk did not start: " + (self.root / "log/output").read_text()[-2000:])

    def kill(self) -> None:
        """As a crash would: SIGKILL."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)
