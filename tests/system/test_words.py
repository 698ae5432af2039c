"""What the trail shows for the codes that are stored."""

from __future__ import annotations

import pytest
from flask import Flask

from pbxweb.system.words import deed, deed_kind, job_name, job_result, thing, way


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("extension 201", "Telefon 201"),
        ("extension 201, 202", "Telefone 201, 202"),
        ("revision 7", "Änderung 7"),
        ("settings", "Einstellungen"),
        ("3 new, 1 changed", "3 neu, 1 geändert"),
        ("anna@example.com", "anna@example.com"),
        ("201 → 202", "201 → 202"),
        ("", ""),
    ],
)
def test_a_subject_is_shown_in_the_readers_language(app: Flask, subject: str, shown: str) -> None:
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert thing(subject) == shown


def test_a_deed_is_shown_in_the_readers_language(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert (deed("extension.update"), deed_kind("extension.")) == ("Telefon geändert", "Telefone")


def test_an_unknown_deed_shows_its_code(app: Flask) -> None:
    with app.test_request_context():
        assert (deed("fax.send"), deed_kind("fax.")) == ("fax.send", "fax")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "erledigt"),
        ("1 calls", "1 Anruf"),
        ("12 rows", "12 Einträge gelöscht"),
        ("1 old log files dropped", "1 alte Datei gelöscht"),
        ("the files differ", "die Dateien weichen ab"),
        ("OSError: disk full", "OSError: disk full"),
    ],
)
def test_a_result_is_shown_in_the_readers_language(app: Flask, text: str, shown: str) -> None:
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert job_result(text) == shown


def test_a_regular_task_is_named_in_the_readers_language(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "de"}):
        assert (job_name("read-history"), way("cli")) == (
            "Beendete Anrufe in die Anrufliste übernehmen",
            "per Befehlszeile",
        )
