"""The first run: who may do it, what it makes, and that it happens once."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.extensions.models import Extension
from pbxweb.security.errors import Conflict, Forbidden, Invalid
from pbxweb.storage.database import db
from pbxweb.system import house, setup
from pbxweb.users.models import User
from tests.conftest import PASSWORD, ApiClient, Person, send

GIVEN: dict[str, Any] = {
    "email": "ada@example.org",
    "password": PASSWORD,
    "country": "DE",
    "area_code": "030",
    "digits": 2,
    "language": "de",
    "phones": 3,
}


def _code(app: Flask) -> str:
    with app.app_context():
        return setup.setup_code(app) or ""


def test_the_code_is_secret_random_and_the_same_after_a_restart(app: Flask) -> None:
    code = _code(app)
    file = Path(app.extensions["pbxweb.settings"].secrets) / "setup-code"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _code(app) == code
    file.unlink()
    assert _code(app) != code


def test_there_is_no_code_once_somebody_can_sign_in(app: Flask, admin: Person) -> None:
    with app.app_context():
        assert setup.setup_code(app) is None
        assert not setup.is_code("")


def test_the_code_may_be_typed_as_people_type(app: Flask) -> None:
    code = _code(app)
    with app.test_request_context():
        for text in (code.lower(), code.replace("-", ""), f" {code} ", code.replace("-", " ")):
            assert setup.is_code(text)
        for text in ("", "-", code[:-1], code + "A", "ä" * 8):
            assert not setup.is_code(text)


def test_all_at_once_makes_everything(app: Flask) -> None:
    code = _code(app)
    with app.test_request_context():
        made = setup.set_up(code, dict(GIVEN))
        assert [phone.extension.number for phone in made.phones] == ["21", "22", "23"]
        assert len({phone.password for phone in made.phones}) == 3
        decisions = house.house()
        assert (decisions.country, decisions.area_code, decisions.digits) == ("DE", "30", 2)
        assert (decisions.language, decisions.tone_zone) == ("de", "de")
        assert setup.step() is setup.Step.DONE
        assert not (Path(app.extensions["pbxweb.settings"].secrets) / "setup-code").exists()
        etc = app.extensions["pbxweb.settings"].asterisk_etc
        assert "[22](" in (etc / "pjsip.conf").read_text()
        with pytest.raises(Conflict):
            setup.set_up(code, dict(GIVEN))


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("email", "no address", "email"),
        ("password", "short", "password"),
        ("country", "XX", "country"),
        ("area_code", "12345678", "areaCode"),
        ("digits", 7, "numberPlan"),
        ("language", "fr", "language"),
        ("phones", 51, "phones"),
    ],
)
def test_one_bad_answer_makes_nothing(app: Flask, field: str, value: Any, named: str) -> None:
    code = _code(app)
    with app.test_request_context():
        with pytest.raises(Invalid) as refusal:
            setup.set_up(code, GIVEN | {field: value})
        assert named in refusal.value.fields
        assert db.session.query(User).count() == db.session.query(Extension).count() == 0
        assert setup.step() is setup.Step.CODE


def test_a_wrong_code_makes_nothing(app: Flask) -> None:
    _code(app)
    with app.test_request_context(), pytest.raises(Forbidden):
        setup.set_up("AAAA-AAAA", dict(GIVEN))


def test_the_api_does_it_too_and_only_once(app: Flask) -> None:
    code = _code(app)
    program = ApiClient(app.test_client(use_cookies=False))
    body = {
        **{name: GIVEN[name] for name in ("email", "password", "country", "language", "phones")},
        "areaCode": "030",
        "numberPlan": 3,
    }
    assert program.post("/setup", {**body, "code": "AAAA-AAAA"}).status_code == 403
    wrong = program.post("/setup", {**body, "code": code, "country": "XX"})
    assert wrong.status_code == 400
    assert wrong.json["errors"][0]["field"] == "country"  # type: ignore[index]
    answer = program.post("/setup", {**body, "code": code})
    assert answer.status_code == 201
    phone = answer.json["phones"][0]  # type: ignore[index]
    assert phone["number"] == "201"
    assert phone["transport"] == "udp"
    assert phone["server"] not in ("", "0.0.0.0")
    assert program.post("/setup", {"code": code}).status_code == 409
    signed = program.post("/auth/login", {"email": GIVEN["email"], "password": PASSWORD})
    assert signed.status_code == 200


def test_every_page_leads_to_the_first_run_until_somebody_can_sign_in(
    app: Flask, client: FlaskClient, person: Any
) -> None:
    for path in ("/", "/phones", "/login", "/system"):
        assert client.get(path).headers["Location"] == "/setup/"
    assert client.get("/setup/").headers["Location"] == "/setup/code"
    assert client.get("/api/v1/system/status").status_code == 200
    assert client.get("/setup/account").headers["Location"] == "/setup/code"
    person("admin")
    assert client.get("/login").status_code == 200


def test_the_wizard_asks_for_the_code_first(app: Flask, client: FlaskClient) -> None:
    code = _code(app)
    wrong = send(client, "/setup/code", {"code": "AAAA-AAAA"})
    assert wrong.status_code == 422
    assert "This is not the code of this device" in wrong.text
    assert (
        send(client, "/setup/account", {"email": "a@b.de", "password": PASSWORD}).headers["Location"] == "/setup/code"
    )
    assert send(client, "/setup/code", {"code": code}).headers["Location"] == "/setup/language"
    assert client.get("/setup/account").status_code == 200


def test_the_wizard_step_by_step(app: Flask, client: FlaskClient) -> None:
    send(client, "/setup/code", {"code": _code(app)})
    send(client, "/setup/language", {"language": "de"})
    answer = send(client, "/setup/account", {"email": "ada@example.org", "password": PASSWORD, "first_name": "Ada"})
    assert answer.headers["Location"] == "/setup/place"
    assert client.get("/setup/code").headers["Location"] == "/setup/place"
    place = send(client, "/setup/place", {"country": "AT", "area_code": "01", "digits": "4"})
    assert place.headers["Location"] == "/setup/phones"
    assert send(client, "/setup/phones", {"count": "0"}).status_code == 422
    assert send(client, "/setup/phones", {"count": "2"}).headers["Location"] == "/setup/sheet"
    assert client.get("/setup/phones").headers["Location"] == "/setup/sheet"
    sheet = client.get("/setup/sheet")
    assert all(number in sheet.text for number in ("2001", "2002"))
    assert "*43" in sheet.text
    assert sheet.headers["Cache-Control"] == "no-store"
    assert send(client, "/setup/finish").headers["Location"] == "/"
    for path in ("/setup/", "/setup/code", "/setup/place", "/setup/phones", "/setup/sheet"):
        assert client.get(path).status_code == 404
    with app.test_request_context():
        assert house.house().tone_zone == "at"


def test_others_do_not_get_into_the_rest_of_it(app: Flask, client: FlaskClient, person: Any, sign_in: Any) -> None:
    sign_in(client, person("supervisor"))
    for path in ("/setup/place", "/setup/phones", "/setup/sheet"):
        assert client.get(path).status_code == 403
    assert client.get("/setup/").status_code == 404


def test_the_sheet_closes_by_itself(app: Flask, client: FlaskClient, admin: Person, sign_in: Any) -> None:
    from datetime import timedelta

    from pbxweb.security.roles import Actor, Role

    sign_in(client, admin)
    with app.test_request_context():
        actor = Actor("Ada", Role.ADMIN, admin.id)
        house.decide(actor, {"country": "DE"})
        setup.make_phones(actor, 1)
        assert setup.step() is setup.Step.SHEET
        row = db.session.query(Extension).one()
        row.created_at -= timedelta(hours=25)
        db.session.commit()
    assert client.get("/setup/sheet").status_code == 404
