"""The pages about phones, with and without JavaScript's help."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.extensions import service
from pbxweb.security.roles import device
from tests.conftest import PASSWORD, Person, counted_queries, send

SignIn = Callable[[FlaskClient, Person], None]


@pytest.fixture
def browser(client: FlaskClient, admin: Person, sign_in: SignIn) -> FlaskClient:
    """The administrator's browser."""
    sign_in(client, admin)
    return client


def phone(app: Flask, number: str = "201", **more: object) -> str:
    with app.app_context():
        given = {"number": number, "display_name": f"Phone {number}", **more}
        return service.create(device("test"), given).extension.id


def test_it_requires_login(client: FlaskClient) -> None:
    assert client.get("/phones").status_code == 302


def cookie(browser: FlaskClient) -> dict[str, str]:
    """The cookie of the visit, to be used under another name of this machine."""
    ((_domain, _path, name), found) = next(iter(browser._cookies.items()))
    return {"key": name, "value": found.value}


def test_an_empty_list_says_what_to_do(browser: FlaskClient) -> None:
    assert "/phones/several" in browser.get("/phones").text


def test_the_list_searches_as_a_page_and_as_a_fragment(app: Flask, browser: FlaskClient) -> None:
    phone(app, "201", display_name="<b>Anna</b>")
    phone(app, "202")
    whole = browser.get("/phones?search=anna")
    assert "&lt;b&gt;Anna&lt;/b&gt;" in whole.text
    assert "202" not in BeautifulSoup(whole.text, "html.parser").find(id="phones").text
    part = browser.get("/phones?search=anna", headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="phones">')


def test_the_list_takes_few_queries_with_500_phones(app: Flask, browser: FlaskClient) -> None:
    with app.app_context():
        service.bulk_create(device("test"), "2001", 500)
    browser.get("/phones")
    with counted_queries(app) as seen:
        assert browser.get("/phones?page=3&sort=owner").status_code == 200
    about_phones = [one for one in seen if "FROM extensions" in one]
    assert len(about_phones) <= 3, about_phones


def test_a_new_phone_shows_its_password_once(app: Flask, browser: FlaskClient) -> None:
    form = {"number": "201", "display_name": "Anna", "user_id": "", "transport": "any", "language": "de"}
    answer = send(browser, "/phones/new", form)
    assert answer.status_code == 303
    first = browser.get(answer.location)
    assert first.headers["Cache-Control"] == "no-store"
    password = BeautifulSoup(first.text, "html.parser").select("dl.facts code")[-1].text
    with app.app_context():
        row = service.by_number("201")
        assert row
        assert row.sip_password == password
        assert row.language == "de"
    again = browser.get(answer.location, follow_redirects=True)
    assert password not in again.text


def test_a_bad_new_phone_comes_back_with_what_was_typed(app: Flask, browser: FlaskClient) -> None:
    phone(app, "201")
    answer = send(
        browser,
        "/phones/new",
        {"number": "201", "display_name": "Änne", "user_id": "", "transport": "any", "language": "de"},
    )
    assert answer.status_code == 422
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.find(id="display_name")["value"] == "Änne"
    assert soup.find(id="number-error")


def test_it_makes_several_and_offers_codes_to_scan(app: Flask, browser: FlaskClient) -> None:
    answer = send(browser, "/phones/several", {"count": "3", "first_number": "201", "name_pattern": "Desk {number}"})
    browser.set_cookie(**cookie(browser), domain="192.0.2.7")
    shown = browser.get(answer.location, base_url="http://192.0.2.7:8090")
    soup = BeautifulSoup(shown.text, "html.parser")
    assert len(soup.select("section.card")) == 3
    assert {code["aria-label"] for code in soup.select("svg.qr")} == {
        f"Code for {app} with the sign-in data of phone {number}"
        for app in ("Linphone", "Grandstream Wave")
        for number in ("201", "202", "203")
    }
    assert all(code["viewbox"] and not code.get("width") for code in soup.select("svg.qr")), "CSS sizes it, whole"
    assert soup.select_one("dl.facts code").text == "192.0.2.7"
    assert send(browser, "/phones/several", {"count": "0", "first_number": "201"}).status_code == 422


def test_linphone_fetches_its_account_a_few_times_only(app: Flask, browser: FlaskClient) -> None:
    from pbxweb.extensions.codes import once

    row_id = phone(app)
    with app.app_context():
        token = once().put(((row_id, "the-password"),), 2)
    stranger = app.test_client()
    answer = stranger.get(f"/phones/setup/{token}.xml", headers={"Host": "192.0.2.7"})
    entries = {one.get("name"): one.text for one in ElementTree.fromstring(answer.text).iter() if one.get("overwrite")}
    assert (entries["username"], entries["passwd"]) == ("201", "the-password")
    assert entries["reg_proxy"] == "<sip:192.0.2.7:5060;transport=udp>"
    assert stranger.get(f"/phones/setup/{token}.xml").status_code == 200
    assert stranger.get(f"/phones/setup/{token}.xml").status_code == 404


def test_the_password_is_asked_for(app: Flask, browser: FlaskClient) -> None:
    row_id = phone(app, sip_password="Secret-and-long-1")
    assert "Secret-and-long-1" not in browser.get(f"/phones/{row_id}").text
    wrong = send(browser, f"/phones/{row_id}/password", {"account_password": "nonsense"})
    assert wrong.status_code == 422
    assert "Secret-and-long-1" not in wrong.text
    right = send(browser, f"/phones/{row_id}/password", {"account_password": PASSWORD})
    assert "Secret-and-long-1" in right.text
    assert right.headers["Cache-Control"] == "no-store"
    renewed = send(browser, f"/phones/{row_id}/new-password")
    assert renewed.status_code == 200
    assert "Secret-and-long-1" not in renewed.text


def form_of(text: str) -> dict[str, str]:
    """What a browser would send of the page's main form, unchanged."""
    form = BeautifulSoup(text, "html.parser").select_one("main form[action$='/edit']")
    data = {}
    for field in form.select("input, select"):
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            data[field["name"]] = chosen["value"]
        elif field.get("type") != "checkbox" or field.has_attr("checked"):
            data[field["name"]] = field.get("value", "")
    return data


def test_an_unchanged_form_changes_nothing(app: Flask, browser: FlaskClient) -> None:
    phone(app, "202")
    row_id = phone(
        app, codec_preferences=["pcma", "opus"], forward_on_busy_enabled=True, forward_on_busy_destination="202",
        dnd_enabled=True, pickup_group="house", transport="tcp", email="a@example.com",
    )  # fmt: skip

    def columns() -> dict[str, object]:
        with app.app_context():
            row = service.by_number("201")
            return {
                c.key: getattr(row, c.key) for c in row.__table__.columns if c.key not in ("updated_at", "sip_password")
            }

    before = columns()
    data = form_of(browser.get(f"/phones/{row_id}/edit").text)
    assert data["forward_on_busy_destination"] == "202"
    assert send(browser, f"/phones/{row_id}/edit", data).status_code == 303
    assert columns() == before
    data |= {"display_name": "Anna", "codec1": "g722", "codec2": "pcma", "forward_on_busy_destination": ""}
    bad = send(browser, f"/phones/{row_id}/edit", data)
    assert bad.status_code == 422
    assert BeautifulSoup(bad.text, "html.parser").find(id="forward_on_busy_destination-error")
    del data["forward_on_busy_enabled"], data["dnd_enabled"]
    assert send(browser, f"/phones/{row_id}/edit", data).status_code == 303
    after = columns()
    assert (after["display_name"], after["codecs"], after["dnd_enabled"]) == ("Anna", "g722,pcma", False)


def test_the_owner_edits_the_own_part_only(
    app: Flask, client: FlaskClient, person: Callable[..., Person], sign_in: SignIn
) -> None:
    anna = person("user")
    mine, other = phone(app, "201", user_id=anna.id), phone(app, "202")
    sign_in(client, anna)
    assert client.get("/phones").status_code == 200
    page = client.get(f"/phones/{mine}/edit")
    assert 'name="number"' not in page.text
    data = form_of(page.text) | {"dnd_enabled": "y", "number": "999", "display_name": "Boss"}
    assert send(client, f"/phones/{mine}/edit", data).status_code == 303
    with app.app_context():
        row = service.by_number("201")
        assert row
        assert (row.dnd_enabled, row.display_name) == (True, "Phone 201")
    for path in ("", "/edit"):
        assert client.get(f"/phones/{other}{path}").status_code == 403
    assert send(client, f"/phones/{mine}/delete").status_code == 403


def test_deleting_says_what_is_lost(app: Flask, browser: FlaskClient) -> None:
    first = phone(app, "201")
    phone(app, "202", forward_unconditional_enabled=True, forward_unconditional_destination="201")
    assert "202" in BeautifulSoup(browser.get(f"/phones/{first}").text, "html.parser").find(
        "input", {"name": "confirm_message"}, value=re.compile("for good")
    )["value"]  # fmt: skip
    asked = send(browser, "/phones/delete", {"id": [first]})
    assert asked.status_code == 200
    assert "202" in asked.text
    assert send(browser, "/phones/delete", {"id": [first], "sure": "yes"}).status_code == 303
    with app.app_context():
        assert service.used_numbers() == {"202"}
        row = service.by_number("202")
        assert row
        assert not row.forward_unconditional_enabled


def test_an_import_is_shown_before_it_happens(app: Flask, browser: FlaskClient) -> None:
    phone(app, "201")
    bad = send(browser, "/phones/import", {"file": (io.BytesIO(b"number,displayName\n201,A\n7,B\n"), "p.csv")})
    assert bad.status_code == 200
    assert "token" not in {field.get("name") for field in BeautifulSoup(bad.text, "html.parser").select("main input")}
    good = send(browser, "/phones/import", {"file": (io.BytesIO(b"number,displayName\n201,Anna\n202,B\n"), "p.csv")})
    token = BeautifulSoup(good.text, "html.parser").find("input", {"name": "token"})["value"]
    with app.app_context():
        assert service.used_numbers() == {"201"}
    assert send(browser, "/phones/import/go", {"token": token}).status_code == 303
    with app.app_context():
        assert service.used_numbers() == {"201", "202"}
    assert send(browser, "/phones/import/go", {"token": token}).status_code == 422
    assert send(browser, "/phones/import", {}).status_code == 422
    assert send(browser, "/phones/import", {"file": (io.BytesIO(b"\x81"), "p.csv")}).status_code == 422


def test_the_export_is_for_the_spreadsheet_of_the_language(app: Flask, browser: FlaskClient) -> None:
    phone(app)
    for language, delimiter in (("de", ";"), ("en", ",")):
        answer = browser.get("/phones/export.csv", headers={"Accept-Language": language})
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.data.decode("utf-8-sig").startswith(f"number{delimiter}displayName")
