"""The files that Asterisk reads whether or not anything was set up: directories, modules, logs, records, transports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pbxweb.asterisk.ami_events import EVENT_NAMES, READ_CLASSES
from pbxweb.asterisk.conf import render
from pbxweb.asterisk.layout import Layout, layout
from pbxweb.room import Piece

if TYPE_CHECKING:
    from pbxweb.settings import Settings

FILES = (
    "asterisk.conf",
    "modules.conf",
    "logger.conf",
    "cdr.conf",
    "cel.conf",
    "cdr_sqlite3_custom.conf",
    "cel_sqlite3_custom.conf",
    "features.conf",
    "manager.conf",
    "rtp.conf",
    "http.conf",
    "acl.conf",
    "udptl.conf",
    "ccss.conf",
    "pjproject.conf",
    "pjsip.conf",
    "pjsip_transports.conf",
    "res_parking.conf",
    "musiconhold.conf",
    "indications.conf",
    "extensions.conf",
)
LANGUAGES = ("en", "de")
# The sections of asterisk-config/system/indications.conf.j2.
TONE_ZONES = frozenset(
    {
        *("at", "be", "bg", "ch", "cz", "de", "dk", "ee", "es", "fi", "fr"),
        *("gr", "hu", "it", "lt", "nl", "no", "pl", "pt", "se", "uk", "us"),
    }
)


@dataclass(frozen=True)
class BaseConf:
    """What the base files depend on. ``sip_address`` and ``tls_address`` are ``host:port``."""

    directories: Layout
    sip_address: str
    tls_address: str
    rtp_first: int
    rtp_last: int
    ami_port: int
    ami_secret: str
    ami_events: tuple[str, ...] = EVENT_NAMES
    ami_classes: str = READ_CLASSES
    realm: str = "pbxweb"
    language: str = "en"
    tone_zone: str = "us"
    local_networks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        ami_secret: str,
        directories: Layout | None = None,
        language: str = "en",
        tone_zone: str = "us",
        local_networks: tuple[str, ...] = (),
    ) -> BaseConf:
        """The base of this process's settings and the few things that are stored in the database.

        ``directories`` are those of the settings, where they are known already.
        """
        tls = type(settings.sip_bind)(settings.sip_bind.host, settings.sip_tls_port)
        return cls(
            directories=directories or layout(settings),
            sip_address=str(settings.sip_bind),
            tls_address=str(tls),
            rtp_first=settings.rtp.first,
            rtp_last=settings.rtp.last,
            ami_port=settings.ami_port,
            ami_secret=ami_secret,
            language=language,
            tone_zone=tone_zone,
            local_networks=local_networks,
        )

    @property
    def certificate(self) -> Path:
        """Where ``asterisk.certificate.make_certificate`` puts the certificate for TLS."""
        return self.directories.keys / "tls.crt"

    @property
    def private_key(self) -> Path:
        """The key that belongs to the certificate."""
        return self.directories.keys / "tls.key"

    @property
    def hold_music(self) -> Path:
        """The folder of the hold music (``asterisk.sounds.make_sounds``)."""
        return self.directories.data / "moh"


@lru_cache(maxsize=8)
def base_pieces(base: BaseConf) -> tuple[Piece, ...]:
    """The base files. Raises ConfValueError for a value that cannot be written."""
    return tuple(Piece(file, render(f"system/{file}.j2", c=base)) for file in FILES)


def pieces(base: BaseConf) -> Iterator[Piece]:
    """The same as an iterator, for ``Room.render``."""
    yield from base_pieces(base)
