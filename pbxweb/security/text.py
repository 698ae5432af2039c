"""What may be in a text that a person or a program sends. The same rule for pages and API."""

from __future__ import annotations

import unicodedata
from typing import Any

# Cc: control characters, Cs: lone surrogates, Zl and Zp: separators that some programs take for a line's end.
REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def fault(text: str, *, lines: bool = False) -> Any | None:
    """Why ``text`` cannot be used, as a sentence for people; None when it can.

    ``lines`` allows several lines (``\\n``, ``\\r\\n``). Emoji and right-to-left writing are welcome.
    """
    if lines:
        text = text.replace("\r\n", "").replace("\n", "")
    if text.isascii() and text.isprintable():
        return None
    if any(unicodedata.category(char) in REFUSED for char in text):
        from flask_babel import gettext

        return gettext("There is an invisible control character in it. Type the text again instead of pasting it.")
    return None
