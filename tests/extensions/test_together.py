"""Two people have the same form open: what one of them saves is not undone unseen by the other."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.extensions.models import Extension
from pbxweb.storage.database import db
from pbxweb.users.models import User
from tests.conftest import Person, send


@pytest.fixture
def office(app: Flask, admin: Person, sign_in: Callable[..., None]) -> FlaskClient:
    """An administrator's browser."""
    client = app.test_client()
    sign_in(client, admin)
    return client


def _opened(client: FlaskClient, url: str) -> dict[str, str]:
    """The form at ``url`` as a browser would send it untouched."""
    form = BeautifulSoup(client.get(url).data, "html.parser").select_one(f'main form[action="{url}"]')
    assert form is not None
    data = {}
    for tag in form.select("input[name], select[name]"):
        name, chosen = str(tag["name"]), tag
        if tag.name == "select":
            chosen = tag.select_one("option[selected]") or tag.select_one("option")
            assert chosen is not None
        if tag.get("type") in ("checkbox", "radio") and not tag.has_attr("checked"):
            continue
        data[name] = str(chosen.get("value") or "")
    return data


def _stored(app: Flask, model: Any, row_id: str, *names: str) -> list[Any]:
    with app.app_context():
        row = db.session.get(model, row_id)
        return [getattr(row, name) for name in names]


@pytest.fixture
def phone_id(app: Flask, phone: Callable[..., str]) -> str:
    """A phone's id."""
    phone("201", "Anna")
    with app.app_context():
        return str(db.session.query(Extension.id).scalar())


def test_changes_of_different_fields_are_both_kept(app: Flask, office: FlaskClient, phone_id: str) -> None:
    url = f"/phones/{phone_id}/edit"
    mine, theirs = _opened(office, url), _opened(office, url)
    given = theirs | {"display_name": "Berta", "codec1": "pcma", "codec3": "opus"}
    assert send(office, url, given).status_code == 303
    assert send(office, url, mine | {"ring_seconds": "44"}).status_code == 303
    name, ring, codecs = _stored(app, Extension, phone_id, "display_name", "ring_seconds", "codec_preferences")
    assert (name, ring, codecs[0]) == ("Berta", 44, "pcma")


def test_what_the_phone_itself_switched_meanwhile_stays(app: Flask, office: FlaskClient, phone_id: str) -> None:
    url = f"/phones/{phone_id}/edit"
    mine = _opened(office, url)
    assert send(office, f"/phones/{phone_id}/dnd", {"on": "yes"}).status_code == 303
    assert send(office, url, mine | {"display_name": "Berta"}).status_code == 303
    assert _stored(app, Extension, phone_id, "display_name", "dnd_enabled") == ["Berta", True]


def test_the_same_field_is_asked_about_and_sent_again_it_counts(app: Flask, office: FlaskClient, phone_id: str) -> None:
    url = f"/phones/{phone_id}/edit"
    mine = _opened(office, url)
    assert (
        send(office, url, _opened(office, url) | {"display_name": "<Berta>", "ring_seconds": "33"}).status_code == 303
    )
    answer = send(office, url, mine | {"display_name": "Clara"})
    assert answer.status_code == 422
    assert "Somebody else has changed this meanwhile, to: <Berta>." in html.unescape(answer.text)
    assert "<Berta>" not in answer.text
    assert _stored(app, Extension, phone_id, "display_name", "ring_seconds") == ["<Berta>", 33]
    seen = re.search(r'name="seen"[^>]*value="([^"]*)"', answer.text)
    ring = re.search(r'name="ring_seconds"[^>]*value="(\d+)"', answer.text)
    assert seen
    assert ring
    again = mine | {"display_name": "Clara", "seen": html.unescape(seen[1]), "ring_seconds": ring[1]}
    assert send(office, url, again).status_code == 303
    assert _stored(app, Extension, phone_id, "display_name", "ring_seconds") == ["Clara", 33]


@pytest.mark.parametrize("seen", ["", "[]", "nonsense", "{", '{"display_name": 1}'])
def test_a_form_without_its_memory_is_saved_as_it_is(app: Flask, office: FlaskClient, phone_id: str, seen: str) -> None:
    url = f"/phones/{phone_id}/edit"
    assert send(office, url, _opened(office, url) | {"display_name": "Clara", "seen": seen}).status_code in (303, 422)
    if not seen.startswith('{"'):
        assert _stored(app, Extension, phone_id, "display_name") == ["Clara"]


def test_two_administrators_change_one_person(app: Flask, office: FlaskClient, person: Callable[..., Person]) -> None:
    someone = person("user")
    url = f"/people/{someone.id}"
    mine, theirs = _opened(office, url), _opened(office, url)
    assert send(office, url, theirs | {"status": "suspended"}).status_code == 303
    assert send(office, url, mine | {"last_name": "Meier"}).status_code == 303
    assert _stored(app, User, someone.id, "status", "last_name") == ["suspended", "Meier"]
    assert send(office, url, mine | {"status": "inactive"}).status_code == 422
    assert _stored(app, User, someone.id, "status") == ["suspended"]
