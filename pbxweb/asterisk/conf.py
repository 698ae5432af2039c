"""The only place where values become text that Asterisk reads.

A template in ``asterisk-config/`` may put a value in three places, told apart by the line it stands on, so that an
author cannot forget which is which:

* ``[{{ … }}]``, a section: a *name* (letters, digits, ``_ . -``);
* ``exten => …`` and ``same => …``: a *dialplan* value. Nothing that the dialplan gives a meaning to passes:
  ``$ { } [ ] ( ) , | & ^ " \\ ;`` and line breaks are refused, as are spaces at the ends;
* every other line: an *option* value. ``;`` starts a comment in Asterisk's files and is written ``\\;``. Line breaks,
  control characters and invisible line separators are refused; so are spaces at the ends, which Asterisk drops.

``| quoted`` is for the one option that has a syntax of its own, ``"name" <number>``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "asterisk-config"

# Asterisk reads a line into 8192 bytes and takes what is longer for the next line.
LONGEST_LINE = 8000
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,78}")
# What a person may write where the dialplan reads it: no character that it gives a meaning to.
DIALPLAN = re.compile(r"[\w .@/+*#-]*")
# Categories of Unicode that are no visible text: control, surrogates, unassigned line and paragraph separators.
REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})

REVISION = "pbxweb-revision"


class ConfValueError(ValueError):
    """A value cannot be written for Asterisk. ``field`` names it when known, ``reason`` says what is wrong with it."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class _Ready(str):
    """Text that a filter has already checked and escaped."""

    __slots__ = ()


def check_text(value: str, field: str = "") -> str:
    """``value`` when it is one line of visible text with nothing at its ends that Asterisk would drop.

    Raises ConfValueError otherwise.
    """
    for character in value:
        if unicodedata.category(character) in REFUSED_CATEGORIES:
            raise ConfValueError(f"must not contain the control character U+{ord(character):04X}", field)
    if value != value.strip():
        raise ConfValueError("must not begin or end with a space", field)
    if len(value.encode()) > LONGEST_LINE // 4:
        raise ConfValueError("is too long", field)
    return value


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Path):
        return str(value)
    if isinstance(value, str | Undefined):
        return str(value)  # raises for an undefined one
    raise ConfValueError(f"a {type(value).__name__} cannot be written into a configuration file")


def as_option(value: Any) -> str:
    """``value`` as the value of an option. Raises ConfValueError."""
    return value if isinstance(value, _Ready) else _Ready(check_text(_plain(value)).replace(";", r"\;"))


def as_name(value: Any) -> str:
    """``value`` as the name of a section or context. Raises ConfValueError."""
    if isinstance(value, _Ready):
        return value
    text = _plain(value)
    if not NAME.fullmatch(text):
        raise ConfValueError(f"{text[:40]!r} cannot name a section: use letters, digits, _ . and -")
    return _Ready(text)


def as_dialplan(value: Any) -> str:
    """``value`` as a part of a dialplan line, where it can mean nothing but itself. Raises ConfValueError."""
    if isinstance(value, _Ready):
        return value
    text = check_text(_plain(value))
    if not DIALPLAN.fullmatch(text):
        raise ConfValueError(f"{text[:40]!r} has a character that the dialplan would give a meaning to")
    return _Ready(text)


def as_quoted(value: Any) -> str:
    """``value`` between double quotes, as in ``callerid = "name" <number>``. Raises ConfValueError."""
    text = check_text(_plain(value)).replace("\\", "\\\\").replace('"', '\\"').replace(";", r"\;")
    return _Ready(f'"{text}"')


class _QuoteByPlace(Extension):
    """Puts the filter of its place behind every expression of a template."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        line = ""
        for token in stream:
            if token.type == "data":
                line = (line + token.value).rpartition("\n")[2]
            if token.type == "variable_begin":
                yield token
                yield Token(token.lineno, "lparen", "(")
            elif token.type == "variable_end":
                yield Token(token.lineno, "rparen", ")")
                yield Token(token.lineno, "pipe", "|")
                yield Token(token.lineno, "name", _filter_for(line))
                yield token
                line += "x"
            else:
                yield token


def _filter_for(line: str) -> str:
    start = line.lstrip()
    if start.startswith("["):
        return "name"
    return "dialplan" if re.match(r"(exten|same)\s*=", start) else "option"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The strict environment over ``asterisk-config/``; made at the first use."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        extensions=[_QuoteByPlace],
        finalize=as_option,
        autoescape=False,  # noqa: S701 - this is not HTML; what it needs instead is in this file
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(option=as_option, name=as_name, dialplan=as_dialplan, quoted=as_quoted)
    return env


def render(template: str, **values: Any) -> str:
    """The text of ``asterisk-config/<template>`` with ``values``.

    Raises ConfValueError for a value that cannot be written, jinja2.UndefinedError for a missing one.
    """
    text = environment().get_template(template).render(values)
    if any(len(line.encode()) > LONGEST_LINE for line in text.split("\n")):
        raise ConfValueError(f"a line of {template} is longer than Asterisk reads")
    return text


@dataclass(frozen=True)
class Marker:
    """How to see over AMI that Asterisk runs a file: ``Getvar`` of ``variable`` must give ``value``."""

    variable: str
    value: str


def _marker_text(file: str, revision: str) -> str:
    if file == "pjsip.conf":
        return f"\n[{REVISION}]\ntype = aor\nvoicemail_extension = {revision}\n"
    if file == "extensions.conf":
        return f"\n[{REVISION}]\nexten => {revision},1,NoOp()\n"
    return ""


def _revision(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def with_marker(file: str, text: str) -> str:
    """The whole ``text`` of ``file`` with a revision of its content at its end, where Asterisk can be asked for one.

    Call it once on the joined pieces, before the text is compared and written. Other files come back unchanged.
    """
    return text + _marker_text(file, _revision(text))


def marker_of(file: str, text: str) -> Marker | None:
    """What shows that Asterisk runs ``text`` (as ``with_marker`` made it) from ``file``; None: nothing can be asked.

    ``pjsip.conf`` holds an AOR without contacts that has the revision in an option; ``extensions.conf`` a context
    whose only extension is the revision. Both are taken over together with the rest of their file or not at all.
    """
    found = re.search(rf"\n\[{REVISION}\]\n(?:type = aor\nvoicemail_extension = |exten => )([0-9a-f]{{16}})", text)
    if found is None:
        return None
    if file == "pjsip.conf":
        return Marker(f"PJSIP_AOR({REVISION},voicemail_extension)", found[1])
    return Marker(f"DIALPLAN_EXISTS({REVISION},{found[1]},1)", "1")


RESTART = "restart"
# file -> what AMI's Reload action is asked for; "restart" where Asterisk reads the file only when it starts.
RELOADS = {
    "extensions.conf": "pbx_config.so",
    "pjsip.conf": "res_pjsip.so",
    "musiconhold.conf": "res_musiconhold.so",
    "res_parking.conf": "res_parking.so",
    "features.conf": "features",
    "logger.conf": "logger",
    "cdr.conf": "cdr",
    "cel.conf": "cel",
    "cdr_sqlite3_custom.conf": "cdr_sqlite3_custom.so",
    "cel_sqlite3_custom.conf": "cel_sqlite3_custom.so",
    "manager.conf": "manager",
    "rtp.conf": "res_rtp_asterisk.so",
    "http.conf": "http",
    "acl.conf": "acl",
    "indications.conf": "indications",
}


def reload_of(file: str) -> str:
    """What to reload after ``file`` changed, or ``"restart"`` (asterisk.conf, modules.conf, transports, unknown)."""
    return RELOADS.get(file, RESTART)
