"""What the templates write: times and spans in the reader's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask, g

from pbxweb.web.filters import span, timeformat


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (0, "1 second", "1 Sekunde"),
        (71, "71 seconds", "71 Sekunden"),
        (72, "1 minute", "1 Minute"),
        (4000, "67 minutes", "67 Minuten"),
        (4400, "1 hour", "1 Stunde"),
        (50 * 3600, "2 days", "2 Tage"),
        (None, "–", "–"),
    ],
)
def test_a_span_is_said_in_the_largest_unit_that_fits(
    app: Flask, seconds: float | None, english: str, german: str
) -> None:
    for language, words in (("en", english), ("de", german)):
        with app.test_request_context():
            g.language = language
            assert span(seconds) == words


def test_a_clock_is_in_the_readers_zone_and_language(app: Flask) -> None:
    for zone, language, words in (("Asia/Tashkent", "en", "5:30:07\u202fPM"), ("Europe/Berlin", "de", "14:30:07")):
        with app.test_request_context():
            g.language, g.timezone = language, zone
            assert timeformat(datetime(2026, 7, 1, 12, 30, 7, tzinfo=UTC)) == words
            assert timeformat(datetime(2026, 7, 1, 12, 30, 7)) == words
