"""Where one Asterisk instance keeps its things, and where the engine it runs from lies. Paths only."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbxweb.settings import Settings

# sockaddr_un holds 108 bytes with its closing NUL; "asterisk.ctl" and a slash come behind the run folder.
SOCKET_PATH = 107
CONTROL_SOCKET = "asterisk.ctl"

# The dynamic loader of a Debian tree, by `uname -m`: (loader below the tree, library folder's triplet).
LOADERS = {
    "x86_64": ("usr/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
    "aarch64": ("usr/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
    "armv7l": ("usr/lib/ld-linux-armhf.so.3", "arm-linux-gnueabihf"),
    "riscv64": ("usr/lib/ld-linux-riscv64-lp64d.so.1", "riscv64-linux-gnu"),
    "ppc64le": ("usr/lib64/ld64.so.2", "powerpc64le-linux-gnu"),
    "s390x": ("usr/lib/ld64.so.1", "s390x-linux-gnu"),
}


@dataclass(frozen=True)
class Tree:
    """An Asterisk that can be run: the words that start it, and the folders that came with it."""

    command: tuple[str, ...]
    modules: Path
    share: Path

    @property
    def complete(self) -> bool:
        """Whether its program, modules and documentation are all there."""
        return (
            all(Path(word).exists() for word in (self.command[0], self.command[-1]))
            and self.modules.is_dir()
            and (self.share / "documentation" / "core-en_US.xml").is_file()
        )


@dataclass(frozen=True)
class Layout:
    """The folders of one instance. Everything but ``run`` lies below ``Settings.asterisk``."""

    etc: Path
    run: Path
    varlib: Path
    log: Path
    spool: Path
    data: Path
    keys: Path
    modules: Path

    @property
    def config(self) -> Path:
        """The ``asterisk.conf`` that the process is started with; it also tells one instance from another."""
        return self.etc / "asterisk.conf"

    @property
    def control_socket(self) -> Path:
        """The socket of ``asterisk -rx``."""
        return self.run / CONTROL_SOCKET


def private_tree(engine_dir: Path) -> Tree:
    """The tree that ``engine install`` unpacks below ``engine_dir`` (whether or not it is there yet)."""
    root = engine_dir / "tree"
    known = [LOADERS[platform.machine()]] if platform.machine() in LOADERS else []
    # A 32-bit system may run on a 64-bit kernel: what was unpacked decides, else the kernel says.
    known = [pair for pair in LOADERS.values() if (root / pair[0]).exists()] or known or [LOADERS["x86_64"]]
    loader, triplet = known[0]
    libraries = f"{root}/usr/lib/{triplet}:{root}/usr/lib"
    return Tree(
        command=(str(root / loader), "--library-path", libraries, str(root / "usr/sbin/asterisk")),
        modules=root / "usr/lib" / triplet / "asterisk/modules",
        share=root / "usr/share/asterisk",
    )


def system_tree() -> Tree | None:
    """The distribution's own Asterisk, if there is one on the PATH or in ``/usr/sbin``."""
    binary = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        return None
    share = Path("/usr/share/asterisk")
    candidates = [*sorted(Path("/usr/lib").glob("*/asterisk/modules")), Path("/usr/lib/asterisk/modules")]
    modules = next((path for path in candidates if path.is_dir()), candidates[-1])
    return Tree(command=(binary,), modules=modules, share=share)


def choose_tree(settings: Settings) -> Tree:
    """The Asterisk that this instance runs: the fetched one where it is, else the distribution's own.

    Pure lookup; the distribution's version is judged by ``pbxweb.asterisk.engine``.
    """
    fetched = private_tree(settings.engine_dir)
    if settings.engine == "private" and fetched.complete:
        return fetched
    return system_tree() or fetched


def run_folder(settings: Settings) -> Path:
    """The folder of the control socket: in the state folder, or in /tmp where that path is too long."""
    folder = settings.asterisk / "run"
    if len(os.fsencode(folder / CONTROL_SOCKET)) <= SOCKET_PATH:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(f"/tmp/pbxweb-{os.geteuid()}-{name}")  # noqa: S108 - made 0700 and its owner checked before use


def layout(settings: Settings) -> Layout:
    """The folders of the instance that ``settings`` describes."""
    home = settings.asterisk
    return Layout(
        etc=settings.asterisk_etc,
        run=run_folder(settings),
        varlib=home / "lib",
        log=home / "log",
        spool=home / "spool",
        data=home / "data",
        keys=home / "keys",
        modules=choose_tree(settings).modules,
    )
