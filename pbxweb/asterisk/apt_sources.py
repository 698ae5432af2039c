"""Where this machine gets its packages from, read from apt's own files; nothing is asked of the network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The first Debian release whose own archive has Asterisk; older ones, and Ubuntu, take it from there: Ubuntu's own is
# too old. The fetched tree brings its own C library, so it does not matter which distribution it runs on.
DEBIAN_WITH_ASTERISK = (14, "forky")
DEBIAN_MIRROR = "http://deb.debian.org/debian"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
KEYRING_PACKAGE = "debian-archive-keyring"


class SourcesError(RuntimeError):
    """This machine's package sources do not lead to an Asterisk; the text says what to do."""


@dataclass(frozen=True)
class Source:
    """One archive: its address, the suites and components taken from it, and the key that signs it."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""

    def deb822(self) -> str:
        """The paragraph to put into a ``.sources`` file."""
        lines = [
            "Types: deb",
            f"URIs: {self.uri}",
            f"Suites: {' '.join(self.suites)}",
            f"Components: {' '.join(self.components)}",
        ]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def read_sources(folder: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled binary source of ``folder``, in both of apt's notations."""
    found: list[Source] = []
    parts = folder / "sources.list.d"
    for path in (folder / "sources.list", *sorted(parts.glob("*.list"))):
        if path.is_file():
            found += one_line(path.read_text(encoding="utf-8", errors="replace"))
    for path in sorted(parts.glob("*.sources")):
        found += paragraphs(path.read_text(encoding="utf-8", errors="replace"))
    return found


def one_line(text: str) -> Iterator[Source]:
    """The sources of a ``.list`` file: ``deb [signed-by=…] URI suite component…``."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?([^#]+)", line)
        words = shlex.split(match[2]) if match else []
        if match and len(words) >= 3:
            options = dict(option.partition("=")[::2] for option in (match[1] or "").split())
            yield Source(words[0], (words[1],), tuple(words[2:]), options.get("signed-by", ""))


def paragraphs(text: str) -> Iterator[Source]:
    """The sources of a deb822 ``.sources`` file."""
    for paragraph in re.split(r"\n(?:[ \t]*\n)+", text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        suites, components = tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            yield Source(uri, suites, components, fields.get("signed-by", ""))


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The machine's own description of itself; empty when it has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): "".join(shlex.split(value)) for name, _, value in pairs}


def asterisk_source(sources: list[Source], release: dict[str, str], mirror: str = "") -> Source:
    """The one source to fetch Asterisk from: Debian's archive, with the suite that has a new enough Asterisk.

    ``mirror`` (``PBXWEB_APT_MIRROR``) takes the place of the archive's address. ``signed_by`` is empty where this
    machine does not have Debian's keys: see ``keyring_source``. Raises SourcesError.
    """
    if _family(release) == "ubuntu":
        keyring = str(DEBIAN_KEYRING) if DEBIAN_KEYRING.exists() else ""
        return Source(mirror or DEBIAN_MIRROR, (DEBIAN_WITH_ASTERISK[1],), ("main",), keyring)
    codename = release.get("DEBIAN_CODENAME") or release.get("VERSION_CODENAME", "")
    own = _own(sources, codename)
    if not own and not mirror:
        name = codename or "debian"
        raise SourcesError(f"/etc/apt names no package source of {name}. Name a mirror: PBXWEB_APT_MIRROR=<address>")
    keyring = str(DEBIAN_KEYRING) if DEBIAN_KEYRING.exists() else ""
    signed_by = next((s.signed_by for s in own if s.signed_by), "") or keyring
    number = release.get("VERSION_ID", "")
    oldest, suite = DEBIAN_WITH_ASTERISK
    if number.isdecimal() and int(number) >= oldest:
        suite = codename or suite
    return Source(mirror or own[0].uri, (suite,), ("main",), signed_by)


def keyring_source(sources: list[Source], release: dict[str, str]) -> Source:
    """Where a machine without Debian's keys gets them: its own archive, which signs them. Raises SourcesError."""
    codename = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    own = _own(sources, codename)
    if not own:
        raise SourcesError(
            f"/etc/apt names no package source of {codename or 'ubuntu'}. Run: sudo apt-get install {KEYRING_PACKAGE}"
        )
    signed_by = next((s.signed_by for s in own if s.signed_by), "")
    if not signed_by and UBUNTU_KEYRING.exists():
        signed_by = str(UBUNTU_KEYRING)
    return Source(own[0].uri, (codename or own[0].suites[0],), ("main", "universe"), signed_by)


def _family(release: dict[str, str]) -> str:
    kin = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if not kin & {"debian", "ubuntu"}:
        name = release.get("PRETTY_NAME", "this system")
        raise SourcesError(f"{name} is neither Debian nor Ubuntu: install Asterisk 22.9 or newer with its own packages")
    return "ubuntu" if "ubuntu" in kin else "debian"


def _own(sources: list[Source], codename: str) -> list[Source]:
    """The distribution's own archives, the likeliest first."""
    return sorted(filter(lambda source: _serves(source, codename), sources), key=_foreign)


def _serves(source: Source, codename: str) -> bool:
    """Can ``source`` be the distribution's own archive?"""
    wanted = {codename, "stable", "oldstable", "testing", "unstable"} if codename else set(source.suites)
    return "main" in source.components and bool(wanted & set(source.suites)) and not source.uri.startswith("cdrom:")


def _foreign(source: Source) -> bool:
    """Whether ``source`` looks like somebody else's archive for this release; those sort behind."""
    folder = source.uri.rstrip("/").rpartition("/")[2]
    return folder not in ("debian", "ubuntu", "ubuntu-ports", "raspbian") and not source.uri.startswith("mirror")
