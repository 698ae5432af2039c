"""How a command says that it cannot do its work."""

from __future__ import annotations


class Fault(Exception):
    """The text says why; ``code`` is the exit code (1, or 2 for wrong use)."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
