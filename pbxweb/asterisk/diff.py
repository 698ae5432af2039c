"""What changed between two versions of a configuration file, line by line and without any secret.

A file has 300 kB and a change usually touches one phone: common ends are cut off first, then lines that occur only
once on both sides are anchors, and only what is left between two anchors is compared line with line.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

MASK = "***"
CONTEXT = 3
# More lines than this between two anchors are shown as replaced as a whole.
CLOSELY = 200

SECRET = re.compile(
    r"^([ +-]?[ \t]*(?:\w*(?:password|passwd|secret|digest|md5_cred|_token)\w*|pin)[ \t]*=>?)[^\n]*",
    re.MULTILINE | re.IGNORECASE,
)

Block = tuple[int, int, int, int]


def mask(text: str) -> str:
    """``text`` (a file, or a diff of one) with the value of every option that holds a secret replaced by ``***``."""
    return SECRET.sub(rf"\g<1> {MASK}", text)


def common_prefix(old: str, new: str) -> int:
    """How many characters ``old`` and ``new`` share at their beginning."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(old: str, new: str, limit: int) -> int:
    """How many characters, at most ``limit``, ``old`` and ``new`` share at their end."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def window(old: str, new: str) -> tuple[int, int]:
    """The common beginning and the common end of two texts in characters, both at a line's border."""
    prefix = common_prefix(old, new)
    if prefix < max(len(old), len(new)):
        prefix = old.rfind("\n", 0, prefix) + 1
    suffix = common_suffix(old, new, min(len(old), len(new)) - prefix)
    border = old.find("\n", len(old) - suffix) if suffix else -1
    return prefix, len(old) - border - 1 if border >= 0 else 0


def unified(file: str, old: str, new: str) -> str:
    """The unified diff from ``old`` to ``new``, secrets masked; empty when they are equal.

    In: the file's name for the heading, and both whole texts (an absent file is the empty text).
    """
    if old == new:
        return ""
    prefix, suffix = window(old, new)
    head = old[:prefix].rsplit("\n", CONTEXT + 1)[-CONTEXT - 1 : -1]
    tail = old[len(old) - suffix :].split("\n", CONTEXT)[:CONTEXT] if suffix else []
    tail = tail[:-1] if tail and not tail[-1] else tail
    start = old.count("\n", 0, prefix) - len(head)
    old_middle = _lines(old[prefix : len(old) - suffix])
    new_middle = _lines(new[prefix : len(new) - suffix])
    old_lines, new_lines = head + old_middle + tail, head + new_middle + tail
    blocks = [
        (a1 + len(head), a2 + len(head), b1 + len(head), b2 + len(head))
        for a1, a2, b1, b2 in changed_blocks(old_middle, new_middle)
    ]
    lines = [f"--- {file}", f"+++ {file}"]
    for hunk in _hunks(blocks):
        lines += _hunk_lines(hunk, old_lines, new_lines, start)
    return mask("\n".join(lines) + "\n")


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def changed_blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """The ranges ``old[a1:a2]`` that became ``new[b1:b2]``, in order."""
    blocks: list[Block] = []
    last_old = last_new = 0
    for in_old, in_new in [*_anchors(old, new), (len(old), len(new))]:
        blocks += _between(old, new, (last_old, in_old, last_new, in_new))
        last_old, last_new = in_old + 1, in_new + 1
    return blocks


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Lines that occur once on each side, as the longest series that rises on both."""
    old_counts, new_counts = Counter(old), Counter(new)
    position = {line: index for index, line in enumerate(new) if new_counts[line] == 1}
    pairs = [(i, position[line]) for i, line in enumerate(old) if old_counts[line] == 1 and line in position]
    ends: list[int] = []
    series: list[int] = []
    previous: list[int] = []
    for index, (_, target) in enumerate(pairs):
        place = bisect_left(ends, target)
        previous.append(series[place - 1] if place else -1)
        if place == len(ends):
            ends.append(target)
            series.append(index)
        else:
            ends[place] = target
            series[place] = index
    chain: list[tuple[int, int]] = []
    index = series[-1] if series else -1
    while index >= 0:
        chain.append(pairs[index])
        index = previous[index]
    return chain[::-1]


def _between(old: Sequence[str], new: Sequence[str], gap: Block) -> Iterator[Block]:
    a1, a2, b1, b2 = gap
    if old[a1:a2] == new[b1:b2]:
        return
    if max(a2 - a1, b2 - b1) > CLOSELY or a1 == a2 or b1 == b2:
        yield gap
        return
    matcher = SequenceMatcher(None, old[a1:a2], new[b1:b2], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield a1 + i1, a1 + i2, b1 + j1, b1 + j2


def _hunks(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks that are so near to each other that their context would overlap belong together."""
    hunk: list[Block] = []
    for block in blocks:
        if hunk and block[0] - hunk[-1][1] > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(block)
    if hunk:
        yield hunk


def _hunk_lines(hunk: Sequence[Block], old: Sequence[str], new: Sequence[str], offset: int) -> Iterator[str]:
    a1, b1 = max(0, hunk[0][0] - CONTEXT), max(0, hunk[0][2] - CONTEXT)
    a2, b2 = min(len(old), hunk[-1][1] + CONTEXT), min(len(new), hunk[-1][3] + CONTEXT)
    yield f"@@ -{_range(a1 + offset, a2 - a1)} +{_range(b1 + offset, b2 - b1)} @@"
    at = a1
    for i1, i2, j1, j2 in hunk:
        yield from (f" {line}" for line in old[at:i1])
        yield from (f"-{line}" for line in old[i1:i2])
        yield from (f"+{line}" for line in new[j1:j2])
        at = i2
    yield from (f" {line}" for line in old[at:a2])


def _range(start: int, length: int) -> str:
    return f"{start + 1 if length else start},{length}"
