"""The table of phones and the pure rules about numbers and forwarding targets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pbxweb.storage.database import Identified, Model, UtcTime
from pbxweb.storage.secrets import Sealed
from pbxweb.users.models import User

# What begins with 0 is dialled to the world outside.
NUMBER = re.compile(r"[1-9][0-9]{1,5}")
PARKING = range(700, 721)
EMERGENCY = frozenset({"110", "112", "911", "999"})
CODECS = ("opus", "g722", "pcma", "pcmu")
LANGUAGES = ("en", "de")
PURPOSE = "extension.sip_password"
KIND = "extension"
# Columns that say what was seen of the phone, not how it is set up: they do not stand in the way of an undo.
OBSERVED = {"observed": True}


class ExtensionType(StrEnum):
    """What kind of phone it is."""

    SIP = "sip"


class Transport(StrEnum):
    """How the phone talks to us; ``any`` leaves the choice to the phone."""

    ANY = "any"
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Status(StrEnum):
    """An inactive phone cannot sign in and is not rung."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class Presence(StrEnum):
    """What the person says about being there."""

    AVAILABLE = "available"
    AWAY = "away"
    BUSY = "busy"
    OFFLINE = "offline"


class Taken(StrEnum):
    """Why a number cannot be a phone's."""

    SHAPE = "shape"
    PARKING = "parking"
    EMERGENCY = "emergency"


def why_not(number: str) -> Taken | None:
    """Why ``number`` cannot be a phone's number; None when it can (whether it is in use is another question)."""
    if not NUMBER.fullmatch(number):
        return Taken.SHAPE
    if number in EMERGENCY:
        return Taken.EMERGENCY
    if int(number) in PARKING:
        return Taken.PARKING
    return None


@dataclass(frozen=True)
class Forward:
    """A forwarding: whether it is on, and where to (``extension:202``; kept while it is off)."""

    enabled: bool = False
    destination: str | None = None

    @property
    def target(self) -> str | None:
        """Where calls go now; None while it is off."""
        return self.destination if self.enabled else None


def loop(number: str, targets: Mapping[str, str]) -> list[str]:
    """The numbers of the forwarding ring that a call to ``number`` runs into, first again as last; empty for none.

    In: ``targets`` maps each number to the number where its calls are forwarded.
    """
    path = [number]
    while (following := targets.get(path[-1])) is not None:
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
    return []


class Extension(Identified, Model):
    """A phone with its number. The row goes for good when it is deleted; the audit trail keeps what it was."""

    __tablename__ = "extensions"
    __table_args__ = (Index("ix_extensions_user_id", "user_id"),)
    configures_asterisk = True

    number: Mapped[str] = mapped_column(String(6), unique=True)
    display_name: Mapped[str] = mapped_column(String(80))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), default=None)
    email: Mapped[str] = mapped_column(String(254), default="")
    extension_type: Mapped[str] = mapped_column(String(10), default=ExtensionType.SIP.value)
    sip_password: Mapped[str] = mapped_column(Sealed(PURPOSE), deferred=True, nullable=False, info={"secret": True})
    sip_digest: Mapped[str] = mapped_column(String(32), info={"secret": True})
    codecs: Mapped[str] = mapped_column(String(60), default=",".join(CODECS))
    transport: Mapped[str] = mapped_column(String(4), default=Transport.ANY.value)
    max_concurrent_calls: Mapped[int] = mapped_column(default=2)
    max_contacts: Mapped[int] = mapped_column(default=3)
    ring_seconds: Mapped[int] = mapped_column(default=30)
    dnd_enabled: Mapped[bool] = mapped_column(default=False)
    forward_unconditional_enabled: Mapped[bool] = mapped_column(default=False)
    forward_unconditional_destination: Mapped[str | None] = mapped_column(String(80), default=None)
    forward_on_busy_enabled: Mapped[bool] = mapped_column(default=False)
    forward_on_busy_destination: Mapped[str | None] = mapped_column(String(80), default=None)
    forward_on_no_answer_enabled: Mapped[bool] = mapped_column(default=False)
    forward_on_no_answer_destination: Mapped[str | None] = mapped_column(String(80), default=None)
    forward_on_no_answer_timeout: Mapped[int] = mapped_column(default=20)
    language: Mapped[str] = mapped_column(String(2), default="en")
    pickup_group: Mapped[str] = mapped_column(String(20), default="")
    presence_status: Mapped[str] = mapped_column(String(12), default=Presence.AVAILABLE.value)
    status: Mapped[str] = mapped_column(String(8), default=Status.ACTIVE.value)
    # Not yet told to Asterisk's own database: made up for when it is reachable again.
    features_pending: Mapped[bool] = mapped_column(
        default=False, index=True, info={**OBSERVED, "set_when_restored": True}
    )
    last_registered_at: Mapped[datetime | None] = mapped_column(UtcTime, default=None, info=OBSERVED)
    last_user_agent: Mapped[str] = mapped_column(String(200), default="", info=OBSERVED)

    user: Mapped[User | None] = relationship("User", lazy="raise_on_sql")

    @property
    def codec_preferences(self) -> list[str]:
        """Codecs in the order in which they are offered."""
        return self.codecs.split(",")

    @property
    def active(self) -> bool:
        """Can it sign in and be called?"""
        return self.status == Status.ACTIVE

    def forward(self, when: str) -> Forward:
        """The forwarding ``unconditional``, ``on_busy`` or ``on_no_answer``."""
        return Forward(getattr(self, f"forward_{when}_enabled"), getattr(self, f"forward_{when}_destination"))


FORWARDS = ("unconditional", "on_busy", "on_no_answer")
