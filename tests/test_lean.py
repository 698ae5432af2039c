"""The libraries' docstrings are left out, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from types import CodeType
from typing import Any

from pbxweb.lean import LONG, NOTHING, stripped
from pbxweb.settings import CHECKOUT

WORDS = "words " * 20
SOURCE = f'''
"""A module. {WORDS}"""
TEXT = "{WORDS}"
def documented(text="{WORDS}"):
    """A function. {WORDS}"""
    return text, "{WORDS}", [("{WORDS}") for _ in range(1)], (lambda: "{WORDS}")()
def plain():
    return "{WORDS}"
def briefly():
    """Brief."""
class Documented:
    """A class. {WORDS}"""
    attribute = "{WORDS}"
    def method(self):
        """A method. {WORDS}"""
        def inner():
            """Within. {WORDS}"""
            return "{WORDS}"
        return inner
class Plain:
    attribute = "{WORDS}"
'''


def run(code: CodeType) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "tried"}
    exec(code, names)
    return names


def test_only_long_docstrings_go() -> None:
    code = compile(SOURCE, "tried.py", "exec")
    whole, lean = run(code), run(stripped(code))
    assert len(WORDS) > LONG
    assert lean["__doc__"] == NOTHING
    assert whole["__doc__"].startswith("A module.")
    for name in ("documented", "Documented"):
        assert lean[name].__doc__ == NOTHING
        assert len(whole[name].__doc__) > LONG
    assert lean["Documented"].method.__doc__ == NOTHING
    assert lean["Documented"]().method().__doc__ == NOTHING
    assert lean["briefly"].__doc__ == "Brief."
    assert lean["plain"].__doc__ is None
    assert lean["Plain"].__doc__ is None


def test_what_the_code_does_stays() -> None:
    code = compile(SOURCE, "tried.py", "exec")
    whole, lean = run(code), run(stripped(code))
    for names in (whole, lean):
        assert names["documented"]() == (WORDS, WORDS, [WORDS], WORDS)
        assert names["plain"]() == names["TEXT"] == names["Plain"].attribute == WORDS
        assert names["Documented"].attribute == names["Documented"]().method()() == WORDS
    assert stripped(compile("x = 1", "x.py", "exec")).co_consts == compile("x = 1", "x.py", "exec").co_consts


def test_our_own_docstrings_are_the_apis_words_and_stay() -> None:
    script = (
        "from pbxweb.lean import NOTHING, without_docstrings; without_docstrings('pbxweb')\n"
        "import sqlalchemy.orm, flask_smorest, pbxweb.api.openapi, pbxweb.extensions.api as ours\n"
        "assert sqlalchemy.orm.Session.execute.__doc__ == NOTHING\n"
        "assert flask_smorest.Blueprint.response.__doc__ == NOTHING\n"
        "assert len(pbxweb.api.openapi.__doc__) > 20, pbxweb.api.openapi.__doc__\n"
        "assert len(ours.__doc__) > 20, ours.__doc__\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
