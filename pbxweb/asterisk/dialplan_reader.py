"""Reads pieces of extensions.conf: contexts, extensions, labels, and where the dialplan jumps to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pbxweb.asterisk.reading import Item, Notes, Reading, lines_of

# Applications that our dialplans may use -> the module that has them ("" for Asterisk itself).
APPLICATIONS = {
    **dict.fromkeys(("Answer", "Busy", "Congestion", "Goto", "GotoIf", "Hangup", "NoOp", "Progress", "Ringing"), ""),
    **dict.fromkeys(("BackGround", "Background", "Set", "SayDigits", "Wait", "WaitExten"), ""),
    **dict.fromkeys(("Gosub", "GosubIf", "Return", "StackPop"), "app_stack.so"),
    "Dial": "app_dial.so",
    "Echo": "app_echo.so",
    "Park": "res_parking.so",
    "ParkedCall": "res_parking.so",
    "Pickup": "app_directed_pickup.so",
    "Playback": "app_playback.so",
    "Read": "app_read.so",
    "UserEvent": "app_userevent.so",
}
JUMPS = ("Goto", "GotoIf", "Gosub", "GosubIf")
STEP = re.compile(r"(exten|same)\s*=>?\s*(.*)", re.DOTALL)
PRIORITY = re.compile(r"(\d+|n|hint)(?:\(([\w-]+)\))?")
CALL = re.compile(r"(\w+)(?:\((.*)\))?$", re.DOTALL)


class _Reader:
    """Reads one piece; ``context``, ``exten`` and ``priority`` are where it stands."""

    def __init__(self, text: str, context: str) -> None:
        self.notes = Notes(text)
        self.context, self.exten, self.priority = context, "", 0

    def line(self, number: int, line: str) -> None:
        if line.startswith("["):
            self.section(number, line)
        elif step := STEP.match(line):
            self.step(number, step[1], step[2])
        elif re.match(r"include\s*=", line):
            target = line.partition("=")[2].removeprefix(">").strip().partition(",")[0]
            self.notes.define(number, "include", self.context, target)
            self.notes.need(number, "context", target)

    def section(self, number: int, line: str) -> None:
        self.context, _, rest = line[1:].partition("]")
        if rest.startswith("(+)"):
            self.notes.need(number, "context", self.context)
        else:
            self.notes.define(number, "context", self.context)

    def step(self, number: int, word: str, rest: str) -> None:
        if word == "exten":
            self.exten, _, rest = (part.strip() for part in rest.partition(","))
            self.priority = 0
        priority, _, call = (part.strip() for part in rest.partition(","))
        found = PRIORITY.fullmatch(priority)
        if not found:
            self.notes.need(number, "priority", priority)
        elif found[1] == "hint":
            self.notes.define(number, "hint", self.context, self.exten)
            for device in call.split("&"):
                if device.startswith("PJSIP/"):
                    self.notes.need(number, "endpoint", device.removeprefix("PJSIP/"))
        else:
            self.priority = self.priority + 1 if found[1] == "n" else int(found[1])
            self.notes.define(number, "extension", self.context, self.exten, str(self.priority))
            if found[2]:
                self.notes.define(number, "extension", self.context, self.exten, found[2])
            self.call(number, call)

    def call(self, number: int, call: str) -> None:
        found = CALL.match(call)
        if not found:
            self.notes.need(number, "application", call)
            return
        name, arguments = found[1], split(found[2] or "")
        self.notes.need(number, "application", name)
        if name in JUMPS:
            for target in _targets(name, found[2] or ""):
                self.place(number, target)
        elif name in ("Playback", "Background", "BackGround"):
            for sound in arguments[0].split("&"):
                self.sound(number, sound)
        elif name == "Read" and len(arguments) > 1:
            self.sound(number, arguments[1])
        elif name == "ParkedCall":
            self.notes.need(number, "parking lot", arguments[0])

    def sound(self, number: int, name: str) -> None:
        if name and "$" not in name:
            self.notes.need(number, "sound", name)

    def place(self, number: int, target: str) -> None:
        """``label``, ``exten,label`` or ``context,exten,label(arguments)``; what only a call knows is left out."""
        parts = [part if "$" in part else part.partition("(")[0].strip() for part in split(target)]
        context, exten, label = [self.context, self.exten][: max(0, 3 - len(parts))] + parts[:3]
        label = label.partition("(")[0]
        if "$" not in context:
            self.notes.need(number, "place", context, "" if "$" in exten else exten, "" if "$" in label else label)


def read(text: str, context: str) -> Reading:
    """The reading of a piece that begins inside ``context`` (empty at the start of the file)."""
    reader = _Reader(text, context)
    for number, line in lines_of(text):
        reader.line(number, line)
    return reader.notes.reading(reader.context)


def _targets(name: str, arguments: str) -> list[str]:
    if not name.endswith("If"):
        return [arguments]
    return [target for target in split(split(arguments, "?", 1)[-1], ":") if target]


def split(text: str, separator: str = ",", times: int = -1) -> list[str]:
    """``text`` split at ``separator`` outside of every bracket and quote."""
    parts, depth, start, quoted = [], 0, 0, False
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == separator and depth == 0 and times != 0:
            parts.append(text[start:position])
            start = position + 1
            times -= 1
    return [*parts, text[start:]]


class Plan:
    """The whole dialplan, to look places up in."""

    def __init__(self, things: Iterable[Item]) -> None:
        self._extensions: dict[str, dict[str, set[str]]] = {}
        self._includes: dict[str, list[str]] = {}
        for thing in things:
            if thing.kind == "extension":
                self._extensions.setdefault(thing.name, {}).setdefault(thing.more, set()).add(thing.last)
            elif thing.kind == "context":
                self._extensions.setdefault(thing.name, {})
            elif thing.kind == "include":
                self._includes.setdefault(thing.name, []).append(thing.more)
        self._patterns = {
            context: [name for name in extensions if name.startswith("_")]
            for context, extensions in self._extensions.items()
        }

    def has(self, context: str, exten: str, label: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a jump there arrives; an empty ``exten`` or ``label`` is one that is not known before a call."""
        if context not in self._extensions or context in seen:
            return False
        if not exten:
            return True
        here = self._extensions[context]
        names = [exten] if exten in here else [name for name in self._patterns[context] if matches(name, exten)]
        if any(not label or label in here[name] for name in names):
            return True
        return any(self.has(other, exten, label, seen | {context}) for other in self._includes.get(context, ()))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    words = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}
    parts = re.findall(r"\[[^\]]*\]|.", pattern[1:])
    return re.compile("".join(words.get(p.upper(), p if p.startswith("[") else re.escape(p)) for p in parts))


@lru_cache(maxsize=16384)
def matches(pattern: str, exten: str) -> bool:
    """Whether the dialplan pattern ``pattern`` (``_X!``) takes ``exten``; a pattern also takes its own name."""
    return pattern == exten or _compiled(pattern).fullmatch(exten) is not None
