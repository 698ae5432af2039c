"""The live parts of pages about phones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bs4 import BeautifulSoup
from flask import Flask, g
from flask.testing import FlaskClient

from pbxweb.extensions import devices, parts, service
from pbxweb.live.bus import Message
from pbxweb.live.feed import CONTACTS, FEATURES
from pbxweb.live.model import Contact, ContactChange, Feature, State
from pbxweb.security.roles import Actor, Role, device
from pbxweb.web.live import hub
from tests.conftest import Person

HERE = Contact("201", "sip:201@127.0.0.1:5070", "Reachable", "201", "baresip <1>", "udp", "127.0.0.1", 5070)


@pytest.fixture
def here(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """One phone with one device in the live state."""
    monkeypatch.setattr(devices, "snapshot", lambda: State(contacts={("201", HERE.uri): HERE}))
    with app.app_context():
        service.create(device("test"), {"number": "201", "display_name": "Anna", "dnd_enabled": True})


def written(app: Flask, kind: str, actor: Actor) -> str:
    with app.test_request_context("/"):
        g.actor = actor
        return hub(app)._parts[kind].render("201")


def test_a_messages_phones_are_named() -> None:
    assert parts.numbers(Message(CONTACTS, ContactChange(HERE))) == ("201",)
    assert parts.numbers(Message(FEATURES, Feature("PbxwebFeature", {"Extension": "202"}))) == ("202",)
    assert parts.numbers(Message(FEATURES, Feature("SomethingElse", {}))) == ()


def test_the_state_is_for_everybody(app: Flask, here: None) -> None:
    text = written(app, "phone", Actor("", Role.USER))
    span = BeautifulSoup(text, "html.parser").find(id="phone-201")
    assert span["hx-swap-oob"] == "true"
    assert span["data-live"] == "phone:201"
    assert "Online" in span.text
    assert "Do not disturb" in span.text


def test_the_devices_are_for_those_who_may_see_them(app: Flask, here: None, person: Callable[..., Person]) -> None:
    assert "baresip &lt;1&gt;" in written(app, "phone-devices", Actor("", Role.SUPERVISOR))
    anna = person("user")
    assert written(app, "phone-devices", Actor("Anna", Role.USER, anna.id)) == ""
    with app.app_context():
        row = service.by_number("201")
        assert row
        service.update(device("test"), row.id, {"user_id": anna.id})
    assert "127.0.0.1" in written(app, "phone-devices", Actor("Anna", Role.USER, anna.id))


def test_the_list_says_who_is_online(
    app: Flask, here: None, client: FlaskClient, admin: Person, sign_in: Callable[[FlaskClient, Person], None]
) -> None:
    with app.app_context():
        service.create(device("test"), {"number": "202", "display_name": "Bert"})
    sign_in(client, admin)
    soup = BeautifulSoup(client.get("/phones").text, "html.parser")
    assert "Online" in soup.find(id="phone-201").text
    assert "Offline" in soup.find(id="phone-202").text
    online = BeautifulSoup(client.get("/phones?online=yes").text, "html.parser")
    assert online.find(id="phone-201")
    assert not online.find(id="phone-202")
