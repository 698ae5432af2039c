"""Every word that a person reads is in both languages, with the same blanks to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup, Comment, Doctype, NavigableString
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from pbxweb.extensions.forms import BulkForm
from tests.conftest import Person, send

ROOT = Path(__file__).resolve().parent.parent
METHODS = [("pbxweb/**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
}
BLANK = re.compile(r"%\((\w+)\)[sd]|%[sd%]")
# Words that are the same everywhere: names of things, not sentences.
SAME_EVERYWHERE = re.compile(r"\b(?:pbxweb|Python|openapi\.json|[A-Z]{2,6})\b")
# Blocks of a layout that take a class or an attribute, not a text.
NOT_TEXT = re.compile(r"\{% block (?:width|body_attributes) %\}.*?\{% endblock %\}", re.S)


def _wanted() -> dict[object, list[str]]:
    wanted: dict[object, list[str]] = {}
    for file, line, text, _comments, context in extract_from_dir(ROOT, METHODS, keywords=KEYWORDS):
        if file.startswith(("pbxweb/", "templates/")):
            wanted.setdefault((text[0] if isinstance(text, tuple) else text, context), []).append(f"{file}:{line}")
    return wanted


def _catalogue(language: str) -> Catalog:
    with (ROOT / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def _blanks(text: str) -> list[str]:
    return sorted(match[0] for match in BLANK.finditer(text))


def test_every_message_is_in_german() -> None:
    german = _catalogue("de")
    missing = []
    for (text, context), places in _wanted().items():
        message = german.get(text, context)
        strings = message.string if message and isinstance(message.string, tuple) else (message and message.string,)
        if message is None or message.fuzzy or not all(strings):
            missing.append(f"{places[0]}: {text!r}")
    assert not missing, "\n".join(missing)


def test_a_translation_has_the_same_blanks_to_fill_in() -> None:
    wrong = [m.id for m in _catalogue("de") if m.id and not _same_blanks(m)]
    assert not wrong


def _same_blanks(message: Message) -> bool:
    originals = message.id if isinstance(message.id, tuple) else (message.id,)
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    allowed = [set(_blanks(text)) for text in originals]
    return all(set(_blanks(text)) in allowed for text in strings)


def test_nothing_is_kept_that_nobody_says_any_more() -> None:
    wanted = _wanted()
    left = [
        m.id
        for m in _catalogue("de")
        if m.id and (m.id[0] if isinstance(m.id, tuple) else m.id, m.context) not in wanted
    ]
    assert not left


def _bare_texts(source: str) -> list[str]:
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.S)
    source = NOT_TEXT.sub("", source)
    source = re.sub(r"\{%-?\s*trans\b.*?endtrans\s*-?%\}", "", source, flags=re.S)
    source = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", source, flags=re.S)
    soup = BeautifulSoup(source, "html.parser")
    texts = [
        str(node)
        for node in soup.find_all(string=True)
        if isinstance(node, NavigableString)
        and not isinstance(node, Comment | Doctype)
        and node.parent.name not in ("script", "style", "code", "kbd", "samp")
    ]
    for tag in soup.find_all(True):
        texts += [str(tag[name]) for name in ("title", "placeholder", "aria-label", "alt") if tag.get(name)]
    words = [re.sub(r"\s+", " ", SAME_EVERYWHERE.sub("", text)).strip() for text in texts]
    return [text for text in words if re.search(r"[A-Za-zÄÖÜäöüß]{2,}", text)]


@pytest.mark.parametrize("template", sorted(str(p.relative_to(ROOT)) for p in (ROOT / "templates").rglob("*.html")))
def test_a_template_says_nothing_untranslated(template: str) -> None:
    assert _bare_texts((ROOT / template).read_text(encoding="utf-8")) == []


def test_a_german_page_complains_in_german(client: FlaskClient, admin: Person) -> None:
    german = {"Accept-Language": "de-AT, de;q=0.9, en;q=0.5"}
    assert '<html lang="de"' in client.get("/login", headers=german).text
    assert "Bitte füllen Sie das aus." in send(client, "/login", {}, headers=german).text


def test_the_form_library_complains_in_german(app: Flask) -> None:
    with app.test_request_context(method="POST", headers={"Accept-Language": "de"}):
        form = BulkForm(MultiDict({"count": "600"}), meta={"csrf": False})
        assert not form.validate()
        assert "Zahl muss zwischen 1 und 500 liegen." in form.errors["count"]
