"""The folders of one Asterisk instance, made ready before it starts."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pbxweb.asterisk.certificate import RENEW_DAYS, VALID_DAYS, make_certificate
from pbxweb.asterisk.sounds import make_sounds
from pbxweb.storage.files import private_folder, write_atomic

if TYPE_CHECKING:
    from pbxweb.asterisk.layout import Layout, Tree

DOCUMENTATION = "core-en_US.xml"
NAMED_DOCUMENTATION = ("application", "function", "manager")
# The prompts of a language, as the packages of several years name their folders: the first that is there is used.
PROMPTS = {"en": ("en_US_f_Allison", "en_US", "en"), "de": ("de", "de_DE")}
LINKED = ("rest-api", "static-http", "firmware")


def prepare(layout: Layout, tree: Tree) -> None:
    """Make every folder that ``layout`` names, and in its ``data`` what Asterisk expects of ``tree``.

    Prompts are linked, the documentation is cut down to what modules need of it, sounds and the certificate for
    TLS are made on this device. Repeating it changes nothing.
    Raises OSError when a folder cannot be made, and PermissionError when a short run folder belongs to another user.
    """
    for folder in (layout.etc, layout.varlib, layout.varlib / "agi-bin", layout.log, layout.spool, layout.keys):
        private_folder(folder)
    _run_folder(layout.run)
    sounds = private_folder(layout.data) / "sounds"
    private_folder(sounds / "custom")
    for language, names in PROMPTS.items():
        found = next((tree.share / "sounds" / name for name in names if (tree.share / "sounds" / name).is_dir()), None)
        if found is not None:
            _link(sounds / language, found.resolve())
    for name in LINKED:
        if (tree.share / name).is_dir():
            _link(layout.data / name, (tree.share / name).resolve())
    _documentation(layout.data / "documentation", tree.share / "documentation" / DOCUMENTATION)
    make_sounds(layout.data)
    _certificate(layout.keys)


def _run_folder(folder: Path) -> None:
    """The run folder may lie in /tmp, where another user could have made it first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else: remove it")
    folder.chmod(0o700)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def _certificate(folder: Path) -> None:
    """Looked into only when its age asks for it: reading certificates loads a library that is not needed otherwise."""
    days = VALID_DAYS - RENEW_DAYS
    try:
        young = time.time() - (folder / "tls.crt").stat().st_mtime < days * 86400
    except FileNotFoundError:
        young = False
    if not young:
        make_certificate(folder, (socket.gethostname(), "localhost", "127.0.0.1"))


def _documentation(folder: Path, source: Path) -> None:
    """Asterisk keeps its whole documentation in memory; modules only need ``configInfo`` to check their options."""
    private_folder(folder)
    trimmed = folder / DOCUMENTATION
    stamp = source.stat().st_mtime_ns
    if trimmed.exists() and trimmed.stat().st_mtime_ns == stamp:
        return
    from xml.etree import ElementTree

    root = ElementTree.parse(source).getroot()  # noqa: S314 - comes with the signed package
    for element in list(root):
        if element.tag in NAMED_DOCUMENTATION:
            element[:] = []  # its name must be there, or every start warns of it
        elif element.tag != "configInfo":
            root.remove(element)
    write_atomic(trimmed, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
    os.utime(trimmed, ns=(stamp, stamp))
