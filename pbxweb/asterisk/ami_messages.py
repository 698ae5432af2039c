"""What crosses the border between the manager interface and pbxweb: frozen messages, errors, two codecs.

Nothing here touches a socket or pyst2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

HeaderValue = str | Sequence[str]
EMPTY: Mapping[str, str | tuple[str, ...]] = {}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}\Z")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

# Asterisk refuses a longer line of an action ("line too long", seen on 22.10.1).
LONGEST_LINE = 1022


class AmiError(Exception):
    """Something between pbxweb and Asterisk's manager interface went wrong."""


class NotConnected(AmiError):
    """There is no signed-in connection to Asterisk at the moment, or it broke before the answer came."""


class AmiTimeout(AmiError):
    """Asterisk did not answer in time; whether it did what was asked is not known."""


class AmiRefused(AmiError, ValueError):
    """A header was not sent, because it could not arrive as what it is; the text names the header."""


class AmiFailed(AmiError):
    """Asterisk answered with an error; ``message`` is its text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Message:
    """One message of Asterisk's: its headers, a repeated one as a tuple in the order of arrival."""

    headers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def get(self, header: str, default: str = "") -> str:
        """The header's value (the first, where it is repeated), or ``default`` where it is absent."""
        value = self.headers.get(header, default)
        return value if isinstance(value, str) else value[0]

    def all(self, header: str) -> tuple[str, ...]:
        """Every value of a header that can be repeated (``Output``, ``ChanVariable``, ``Variable``)."""
        value = self.headers.get(header, ())
        return (value,) if isinstance(value, str) else value

    def text(self, header: str) -> str:
        """A person's text (a caller's name): Asterisk's C escapes undone, ``<unknown>`` as the empty text."""
        value = self.get(header)
        if value == "<unknown>":
            return ""
        return _ESCAPED.sub(lambda found: _UNESCAPED.get(found[1], found[1]), value) if "\\" in value else value

    def pairs(self, header: str) -> dict[str, str]:
        """The values of a repeated ``NAME=value`` header as a dictionary."""
        return {name: value for name, _, value in (item.partition("=") for item in self.all(header))}

    @property
    def action_id(self) -> str:
        """The ActionID that this message belongs to, or the empty text."""
        return self.get("ActionID")


@dataclass(frozen=True, slots=True)
class Event(Message):
    """Something that happened in Asterisk."""

    @property
    def name(self) -> str:
        """The event's name, for example ``Newchannel``."""
        return self.get("Event")

    @property
    def at(self) -> datetime | None:
        """When it happened by Asterisk's clock, in UTC (``timestampevents=yes``); None where it is not said."""
        return moment(self.get("Timestamp"))


@dataclass(frozen=True, slots=True)
class Response(Message):
    """Asterisk's answer to one action."""

    @property
    def ok(self) -> bool:
        """Whether Asterisk did what was asked."""
        return self.get("Response") != "Error"

    @property
    def message(self) -> str:
        """Asterisk's own words."""
        return self.get("Message")


def moment(text: str) -> datetime | None:
    """Seconds since 1970 (``1795259541.218``) as a UTC datetime; None for an empty, zero or foreign text."""
    try:
        seconds = float(text)
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def parse(block: str) -> dict[str, str | tuple[str, ...]]:
    """The headers of one message, given without the empty line that ends it.

    A line without a colon is kept under the name ``""``.
    """
    headers: dict[str, str | tuple[str, ...]] = {}
    for line in block.split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            if not line:
                continue
            name, value = "", line
        elif value.startswith(" "):
            value = value[1:]
        before = headers.get(name)
        if before is None:
            headers[name] = value
        else:
            headers[name] = (*((before,) if isinstance(before, str) else before), value)
    return headers


def encode(headers: Iterable[tuple[str, HeaderValue]]) -> bytes:
    """One action as the bytes to send.

    Raises AmiRefused for a name that is not a header's, for a CR, LF or NUL in a value, and for a line
    longer than Asterisk reads: each of them would arrive as something else.
    """
    lines: list[str] = []
    for name, given in headers:
        if not _NAME.match(name):
            raise AmiRefused(f"{name[:40]!r} is not the name of a header")
        for value in (given,) if isinstance(given, str) else given:
            if not isinstance(value, str):
                raise AmiRefused(f"{name}: a text is needed, not {type(value).__name__}")
            if _FORBIDDEN.search(value):
                raise AmiRefused(f"{name}: a line break or a NUL cannot be sent to Asterisk")
            line = f"{name}: {value}"
            try:
                size = len(line.encode("utf-8"))
            except UnicodeEncodeError:
                raise AmiRefused(f"{name}: the text is not valid Unicode") from None
            if size > LONGEST_LINE:
                raise AmiRefused(f"{name}: {size} bytes are longer than Asterisk reads ({LONGEST_LINE})")
            lines.append(line)
    return "\r\n".join((*lines, "", "")).encode("utf-8")
