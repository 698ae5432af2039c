"""Did Asterisk take a file? Asked over AMI after the reload, because a reload that fails half is still "successful".

Three questions: does it run the revision that stands at the end of the file (``conf.marker_of``), do the endpoints
exist that were added and are those gone that were removed, and does a changed object still answer with the value
that it had before (PJSIP keeps the old object, and says so only in its log, when it cannot use the new one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pbxweb.asterisk.ami_messages import AmiFailed, Event
from pbxweb.asterisk.ami_verbs import AmiVerbs, Asked
from pbxweb.asterisk.conf import REVISION, Marker, marker_of
from pbxweb.asterisk.diff import window

PJSIP = "pjsip.conf"
# The lines below the heading of the revision.
MARKER = re.compile(r"\A(?:type = aor\nvoicemail_extension = [0-9a-f]{16}|exten => [0-9a-f]{16},1,NoOp\(\))\n")
ANSWER_SECONDS = 10.0
# The event that has an object's values in the answer to PJSIPShowEndpoint, and the type of the object.
DETAILS = {"EndpointDetail": "endpoint", "AorDetail": "aor", "AuthDetail": "auth"}

_HEAD = re.compile(r"^\[([^\]\n]+)\](?:\(([^)\n]*)\))?", re.MULTILINE)
_TEMPLATE = re.compile(r"^\[([^\]\n]+)\]\(!(?:,([^)\n]*))?\)([^\[]*)", re.MULTILINE)
_OPTION = re.compile(r"^[ \t]*([a-z0-9_]+)[ \t]*=>?[ \t]*([^\n]*?)[ \t]*$", re.MULTILINE)
_TYPE = re.compile(r"^[ \t]*type[ \t]*=>?[ \t]*(\w+)", re.MULTILINE)

Key = tuple[str, str]
Objects = dict[Key, dict[str, str]]


@dataclass(frozen=True)
class NotTaken:
    """What Asterisk runs otherwise than the file says: the file, and the object (a phone's number) where known."""

    file: str
    name: str = ""


@dataclass(frozen=True)
class Expectation:
    """What Asterisk has to answer when it runs a file: its revision, and the objects that the change touched."""

    file: str
    marker: Marker | None
    before: Objects
    after: Objects


def expect(file: str, old: str, new: str) -> Expectation:
    """What to ask for after ``file`` went from ``old`` to ``new``."""
    touched: tuple[Objects, Objects] = ({}, {})
    if file == PJSIP:
        touched = changed_objects(without_marker(old), without_marker(new))
    return Expectation(file, marker_of(file, new), *touched)


def runs(link: AmiVerbs, marker: Marker | None) -> bool | None:
    """Does Asterisk run the file that has ``marker``? None where there is nothing to ask for. Raises AmiError."""
    return None if marker is None else _answers_with(link.ask("Getvar", {"Variable": marker.variable}), marker)


class Question:
    """Whether Asterisk runs what is ``wanted``, asked behind what it was sent before. Raises AmiError.

    ``missing`` gives the first thing that it did not take over; None: all is live. Call it once.
    """

    def __init__(self, link: AmiVerbs, wanted: Expectation) -> None:
        self._wanted = wanted
        marker = wanted.marker
        self._marker = link.ask("Getvar", {"Variable": marker.variable}) if marker else None
        names = dict.fromkeys(name for kind, name in [*wanted.before, *wanted.after] if kind == "endpoint")
        self._endpoints = {name: link.ask("PJSIPShowEndpoint", {"Endpoint": name}, is_list=True) for name in names}

    def missing(self) -> NotTaken | None:
        """Wait for the answers and judge them. Raises AmiError when Asterisk does not answer."""
        wanted = self._wanted
        current = not (self._marker and wanted.marker) or _answers_with(self._marker, wanted.marker)
        taken = {name: _object_taken(asked, name, wanted) for name, asked in self._endpoints.items()}
        if not current:
            return NotTaken(wanted.file)
        return next((NotTaken(wanted.file, name) for name, good in taken.items() if not good), None)


def _answers_with(asked: Asked, marker: Marker) -> bool:
    try:
        return asked.wait(ANSWER_SECONDS)[0].get("Value") == marker.value
    except AmiFailed:
        return False


def without_marker(text: str) -> str:
    """``text`` without the revision that ``conf.with_marker`` puts at its end: what people mean by the file.

    What somebody wrote behind the revision stays.
    """
    body, found, rest = text.rpartition(f"\n[{REVISION}]\n")
    return body + MARKER.sub("", rest) if found else text


def _object_taken(asked: Asked, name: str, wanted: Expectation) -> bool:
    there = ("endpoint", name) in wanted.after
    try:
        _, events = asked.wait(ANSWER_SECONDS)
    except AmiFailed:
        return not there
    if not there:
        return False
    found = {DETAILS[event.name]: event for event in events if event.name in DETAILS}
    for kind in DETAILS.values():
        options = wanted.after.get((kind, name))
        if options is None:
            continue
        if kind not in found or _is_old(found[kind], wanted.before.get((kind, name), {}), options):
            return False
    return True


def _is_old(event: Event, before: dict[str, str], after: dict[str, str]) -> bool:
    """Does Asterisk still say the old value of an option that has a new one?"""
    for option, value in after.items():
        if option not in before or _words(before[option]) == _words(value):
            continue
        said = event.get("".join(part.capitalize() for part in option.split("_")))
        if said and _words(said) == _words(before[option]):
            return True
    return False


def _words(value: str) -> list[str]:
    """A value without the signs that the file and Asterisk's answer put differently: ``a,b`` and ``(a|b)``."""
    return re.findall(r"\w+", value.lower())


def changed_objects(old: str, new: str) -> tuple[Objects, Objects]:
    """The sections that the change touches, before and after: (type, name) to its own options.

    In: both whole texts of pjsip.conf. Equal sections are left out.
    """
    prefix, suffix = window(old, new)
    start = max(new.rfind("\n[", 0, prefix + 1) + 1, 0)
    before = _objects(_region(old, start, suffix), old)
    after = _objects(_region(new, start, suffix), new)
    same = {key for key in before if before[key] == after.get(key)}
    return (
        {key: options for key, options in before.items() if key not in same},
        {key: options for key, options in after.items() if key not in same},
    )


def _region(text: str, start: int, suffix: int) -> str:
    """From ``start`` to the end of the section in which the common end begins."""
    end = text.find("\n[", max(start, len(text) - suffix - 1))
    return text[start : end + 1] if end >= 0 else text[start:]


def _objects(region: str, whole: str) -> Objects:
    types = _template_types(whole)
    return {
        (kind, name): dict(_OPTION.findall(body))
        for name, parents, body in _sections(region)
        if (kind := _type(body, parents, types)) is not None
    }


def _sections(text: str) -> Iterator[tuple[str, str, str]]:
    heads = list(_HEAD.finditer(text))
    for index, head in enumerate(heads):
        end = heads[index + 1].start() if index + 1 < len(heads) else len(text)
        yield head[1], head[2] or "", text[head.end() : end]


def _type(body: str, parents: str, types: dict[str, str]) -> str | None:
    if "!" in parents:
        return None
    own = _TYPE.search(body)
    return own[1] if own else next((types[parent] for parent in parents.split(",") if parent in types), None)


def _template_types(text: str) -> dict[str, str]:
    types: dict[str, str] = {}
    last = text.rfind("](!")
    end = text.find("\n[", last) if last >= 0 else 0
    for name, parents, body in _TEMPLATE.findall(text if end < 0 else text[:end]):
        own = _TYPE.search(body)
        kind = own[1] if own else next((types[p] for p in (parents or "").split(",") if p in types), None)
        if kind:
            types[name] = kind
    return types
