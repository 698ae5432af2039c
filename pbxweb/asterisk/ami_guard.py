"""What callers can do to Asterisk's events, undone.

A SIP address can carry ``%0d%0a`` in its number, and Asterisk (22.10.1) writes it into its events as it is: a caller
adds headers, or whole events. But a number has at most 79 characters. They are too few to complete the headers in
whose middle the number stands and to begin another event as Asterisk begins it; so both are seen, and put right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

SNAPSHOT = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum",
    "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip
_FREE = frozenset({"CallerIDNum", "ConnectedLineNum", "Exten"})
_REPEATED = frozenset({"Variable", "ChanVariable"})
_BEGUN = re.compile(r"\r\n([A-Za-z]*)ChannelState: ")
_STATUS = re.compile(
    r"\r\nDNID: (?P<dialled>.*?)\r\nEffectiveConnectedLineNum: (?P<number>.*?)"
    r"\r\nEffectiveConnectedLineName: (?P<name>.*?)\r\nTimeToHangup: ",
    re.DOTALL,
)
_BREAKS = {13: " ", 10: " "}
LONGEST = 8000


def genuine(headers: Mapping[str, str | tuple[str, ...]], stamped: bool) -> bool:
    """Whether an event is one that Asterisk made, and not one that a caller has changed or made.

    ``stamped``: it must have a Timestamp, because this connection's events have.
    """
    names = list(headers)
    begin = ("Event", "Privilege", "Timestamp") if stamped and headers["Event"] != "FullyBooted" else ("Event",)
    if tuple(names[: len(begin)]) != begin or "" in headers:
        return False
    for number, name in enumerate(names):
        if not isinstance(headers[name], str) and name not in _REPEATED:
            return False
        if name.endswith("ChannelState"):
            prefix, first = name[: -len("ChannelState")], number - 1
            if first < 0 or names[first : first + len(SNAPSHOT)] != [prefix + one for one in SNAPSHOT]:
                return False
    return True


def unfinished(block: str) -> bool:
    """Whether the event ends in the middle of a channel, or of its status: the rest is in the next block."""
    if "\r\nDNID: " in block and not _STATUS.search(block):
        return True
    return any(not _whole(prefix).search(block) for prefix in _BEGUN.findall(block))


def repaired(block: str) -> str:
    """The event with the line breaks taken out of the numbers in it."""
    for prefix in set(_BEGUN.findall(block)):
        block = _whole(prefix).sub(_on_one_line, block)
    return _STATUS.sub(_on_one_line, block)


@cache
def _whole(prefix: str) -> re.Pattern[str]:
    """One channel of an event, from its state on; what a caller can write in it may have line breaks."""
    pattern = rf"\r\n{prefix}ChannelState: [^\r\n]*"
    for name in SNAPSHOT[2:]:
        pattern += rf"\r\n{prefix}{name}: " + (rf"(?P<{name}>.*?)" if name in _FREE else r"[^\r\n]*")
    return re.compile(pattern + r"(?=\r\n|$)", re.DOTALL)


def _on_one_line(found: re.Match[str]) -> str:
    text = found[0]
    for name in found.groupdict():
        start, end = (place - found.start() for place in found.span(name))
        text = text[:start] + text[start:end].translate(_BREAKS) + text[end:]
    return text
