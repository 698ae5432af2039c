"""Phones as Asterisk reads them: a row becomes an endpoint with its sign-in in pjsip.conf and two dialplan lines.

What a phone or the web page changes while calls run (do not disturb, forwarding) is not in any file but in Asterisk's
own database, see ``FEATURES``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pbxweb.asterisk.conf import ConfValueError, check_text, render
from pbxweb.room import Piece

CODECS = {"opus": "opus", "g722": "g722", "pcma": "alaw", "pcmu": "ulaw"}
TRANSPORTS = ("any", "udp", "tcp", "tls")
# Asterisk copies a caller's name into 80 bytes.
LONGEST_NAME = 79
# Numbers with a meaning of their own: 700 parks, 701 to 720 are the parking places.
RESERVED_NUMBERS = frozenset(str(number) for number in range(700, 721))

_NUMBER = re.compile(r"[0-9]{2,8}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_-]{0,40}", re.ASCII)


@dataclass(frozen=True)
class Feature:
    """A state that phones and pages share: its family in AstDB, and the lamp device that follows it, if any."""

    family: str
    device: str = ""
    lit: str = ""
    unlit: str = ""


# The names are those of the PbxwebFeature event's ``Feature`` header. A deleted key, or an empty Value, means "off".
# Whoever changes one over AMI does as the dialplan: DBPut or DBDel, and for one with a device
# Setvar DEVICE_STATE(<device><number>) to ``lit`` or ``unlit``.
FEATURES = {
    "dnd": Feature("pbxweb-dnd", "Custom:DND", "BUSY", "INVALID"),
    "cfu": Feature("pbxweb-cfu", "Custom:CFU", "INUSE", "NOT_INUSE"),
    "cfb": Feature("pbxweb-cfb"),
    "cfna": Feature("pbxweb-cfna"),
}


def digest_of(number: str, password: str, realm: str = "pbxweb") -> str:
    """What Asterisk keeps instead of the password: MD5 of ``number:realm:password``, as in RFC 2617."""
    return hashlib.md5(f"{number}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class ExtensionConf:
    """A phone. Making one checks every field and raises ConfValueError that names the first bad one.

    ``digest`` is ``digest_of(number, password, realm)``. ``codecs`` are keys of ``CODECS``, best first.
    ``max_contacts`` is how many devices may sign in, ``max_calls`` after how many calls at once the number is
    busy, ``ring_seconds`` how long it rings before nobody answers. A phone that is not ``enabled`` cannot sign in
    and has no number.
    """

    number: str
    display_name: str
    digest: str
    codecs: tuple[str, ...] = ("opus", "g722", "pcma", "pcmu")
    transport: str = "any"
    max_contacts: int = 3
    max_calls: int = 2
    ring_seconds: int = 25
    language: str = "en"
    pickup_group: str = ""
    enabled: bool = True
    realm: str = "pbxweb"

    def __post_init__(self) -> None:
        _require(_NUMBER.fullmatch(self.number), "number", "must be two to eight digits")
        _require(self.number not in RESERVED_NUMBERS, "number", "700 to 720 are for parking calls")
        check_text(self.display_name, "display_name")
        _require(self.display_name, "display_name", "must not be empty")
        size = len(self.display_name.encode())
        _require(size <= LONGEST_NAME, "display_name", f"is {size} bytes long; phones show at most {LONGEST_NAME}")
        _require(_DIGEST.fullmatch(self.digest), "digest", "must be an MD5 digest in small letters")
        _require(self.codecs, "codecs", "must have at least one codec")
        _require(set(self.codecs) <= set(CODECS), "codecs", f"must be some of {', '.join(CODECS)}")
        _require(len(set(self.codecs)) == len(self.codecs), "codecs", "must name each codec once")
        _require(self.transport in TRANSPORTS, "transport", f"must be one of {', '.join(TRANSPORTS)}")
        _require(1 <= self.max_contacts <= 20, "max_contacts", "must be 1 to 20")
        _require(1 <= self.max_calls <= 100, "max_calls", "must be 1 to 100")
        _require(5 <= self.ring_seconds <= 300, "ring_seconds", "must be 5 to 300")
        _require(re.fullmatch(r"[a-z]{2}", self.language, re.ASCII), "language", "must be two small letters")
        _require(_WORD.fullmatch(self.pickup_group), "pickup_group", "must be letters, digits, _ and - only")
        _require(_WORD.fullmatch(self.realm) and self.realm, "realm", "must be letters, digits, _ and - only")

    @property
    def asterisk_codecs(self) -> str:
        """The codecs by Asterisk's names, best first."""
        return ",".join(CODECS[codec] for codec in self.codecs)


def _require(good: object, field: str, reason: str) -> None:
    if not good:
        raise ConfValueError(reason, field)


@lru_cache(maxsize=8192)
def pieces_of(extension: ExtensionConf) -> tuple[Piece, ...]:
    """One phone's pieces: the same objects for an equal phone. Empty for one that is not enabled."""
    if not extension.enabled:
        return ()
    return (
        Piece("pjsip.conf", render("extensions/pjsip-extension.conf.j2", e=extension)),
        Piece("extensions.conf", render("extensions/dialplan-extension.conf.j2", e=extension)),
    )


@lru_cache(maxsize=1)
def static_pieces() -> tuple[Piece, ...]:
    """What all phones share: the templates of pjsip.conf, the dialplan, and the head of the phones' own context."""
    return (
        Piece("pjsip.conf", render("extensions/pjsip-phones.conf.j2")),
        Piece("extensions.conf", render("extensions/dialplan.conf.j2")),
    )


def pieces(extensions: Iterable[ExtensionConf]) -> Iterator[Piece]:
    """All pieces of the phones, in the order of ``extensions``.

    The dialplan ends in the context ``pbxweb-extensions``, which the phones' lines continue.
    """
    yield from static_pieces()
    for extension in extensions:
        yield from pieces_of(extension)
