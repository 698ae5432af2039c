"""Reads pieces of pjsip.conf: which objects there are, and which they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pbxweb.asterisk.reading import Notes, Reading, lines_of

SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
# option -> what its value names; several names are separated by commas
NAMES = {
    "auth": "auth",
    "outbound_auth": "auth",
    "aors": "aor",
    "transport": "transport",
    "context": "context",
    "subscribe_context": "context",
    "message_context": "context",
    "endpoint": "endpoint",
}
CONTEXT_VARIABLES = ("TRANSFER_CONTEXT=", "FORWARD_CONTEXT=")


def templates(text: str) -> Iterator[tuple[str, str]]:
    """``(name, type)`` of each ``[name](!)`` in the piece."""
    name = ""
    for _, line in lines_of(text):
        section = SECTION.match(line)
        if section:
            name = section[1] if "!" in (section[2] or "") else ""
        elif name and re.match(r"type\s*=", line):
            yield name, line.partition("=")[2].strip()


def read(text: str, types: Mapping[str, str]) -> Reading:
    """The reading of a piece; ``types`` has the type of every template of the file."""
    notes = Notes(text)
    name, kind, template, start = "", "", False, 0

    def end() -> None:
        if name and not template:
            if kind:
                notes.define(start, kind, name)
            else:
                notes.need(start, "type of section", name)

    for number, line in lines_of(text):
        section = SECTION.match(line)
        if section:
            end()
            parents = [part.strip() for part in (section[2] or "").split(",") if part.strip()]
            name, template, start = section[1], "!" in parents, number
            kind = next((types[parent] for parent in parents if parent in types), "")
            for parent in set(parents) - {"!", "+", *types}:
                notes.need(number, "template", parent)
        elif "=" in line:
            key, _, value = (part.strip() for part in line.partition("="))
            if key == "type":
                kind = value
            elif key in NAMES:
                for one in value.split(","):
                    notes.need(number, NAMES[key], one.strip())
            elif key == "set_var" and value.startswith(CONTEXT_VARIABLES):
                notes.need(number, "context", value.partition("=")[2])
    end()
    return notes.reading()
