"""Leaves out of memory what a server never reads: the docstrings of the libraries, which are megabytes.

Python's ``-OO`` does it, too, but also for our own code, whose docstrings are the API's documentation.
"""

from __future__ import annotations

import inspect
import opcode
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any

# Shorter ones are not worth the work of making their code anew.
LONG = 60
# Since Python 3.13 a flag says that a function has a docstring; before, its first constant was one or None.
_FLAG: int | None = getattr(inspect, "CO_HAS_DOCSTRING", None)
# Some libraries want that there is one.
NOTHING = "."
_LOAD, _STORE = opcode.opmap["LOAD_CONST"], opcode.opmap["STORE_NAME"]


def without_docstrings(package: str) -> None:
    """From now on load every module without its docstrings, but for those of ``package``. For this process alone."""
    load = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        code = load(self, fullname)
        return code if code is None or fullname.partition(".")[0] == package else stripped(code)

    # Replaced on purpose, so that everything goes through it, whoever imports.
    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]


def stripped(code: CodeType) -> CodeType:
    """``code`` of a module, class or function, and all within it, with NOTHING for each long docstring."""
    constants: list[Any] = [stripped(each) if isinstance(each, CodeType) else each for each in code.co_consts]
    place = _place(code)
    if place is not None and isinstance(constants[place], str) and len(constants[place]) >= LONG:
        constants[place] = NOTHING
    if all(new is old for new, old in zip(constants, code.co_consts, strict=True)):
        return code
    return code.replace(co_consts=tuple(constants))


def _place(code: CodeType) -> int | None:
    """Where the docstring stands among the constants of ``code``; None where it has none."""
    if code.co_flags & inspect.CO_NEWLOCALS:
        if code.co_name.startswith("<") or not code.co_consts or (_FLAG and not code.co_flags & _FLAG):
            return None
        return 0
    if "__doc__" not in code.co_names:
        return None
    name, steps = code.co_names.index("__doc__"), code.co_code
    for at in range(2, min(len(steps), 64), 2):
        if steps[at] == _STORE and steps[at + 1] == name and steps[at - 2] == _LOAD:
            return steps[at - 1]
    return None
