"""The fields that every schema uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from pbxweb.api.fields import Instant, Text
from pbxweb.security.text import fault


class Sample(Schema):
    """One of each."""

    line = Text(max_length=40)
    lines = Text(lines=True)
    at = Instant(allow_none=True)


@pytest.mark.parametrize(
    "good",
    [
        "Anna",
        "Änne Öztürk",
        "\u200f\u05e9\u05dc\u05d5\u05dd\u200f",
        "🦊👩\u200d👩\u200d👧",
        "a;b]c#include ${X} => \"'",
        "",
    ],
)
def test_ordinary_text_of_any_writing_passes_unchanged(plain_app: Flask, good: str) -> None:
    with plain_app.test_request_context():
        assert Sample().load({"line": good})["line"] == good


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\tb", "a\0b", "a\x7fb", "a\x85b", "a\u2028b", "\ud800", "x" * 41])
def test_what_could_end_a_line_or_is_too_long_is_refused(plain_app: Flask, bad: str) -> None:
    with plain_app.test_request_context(), pytest.raises(ValidationError):
        Sample().load({"line": bad})


def test_several_lines_are_allowed_where_asked_for(plain_app: Flask) -> None:
    with plain_app.test_request_context():
        assert Sample().load({"lines": "a\nb\r\nc"})["lines"] == "a\nb\r\nc"
        with pytest.raises(ValidationError):
            Sample().load({"lines": "a\rb"})


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))))
def test_no_printable_text_is_refused(text: str) -> None:
    assert fault(text) is None


def test_a_moment_is_utc_with_a_z(plain_app: Flask) -> None:
    noon = datetime(2026, 1, 15, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    with plain_app.test_request_context():
        assert Sample().dump({"at": noon}) == {"at": "2026-01-15T10:30:00Z"}
        assert Sample().dump({"at": None}) == {"at": None}
        assert Sample().load({"at": "2026-01-15T10:30:00Z"})["at"] == datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
        for bad in ("2026-01-15T10:30:00", "yesterday", 5, "0001-01-01T00:00:00+23:59"):
            with pytest.raises(ValidationError):
                Sample().load({"at": bad})
