"""The verbs of phones, on a real SQLite file."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from sqlalchemy import select

from pbxweb.extensions import destinations, service
from pbxweb.extensions.conf import digest_of
from pbxweb.extensions.models import Extension
from pbxweb.extensions.rendering import read
from pbxweb.security.audit import AuditEntry
from pbxweb.security.errors import Conflict, Forbidden, Invalid, NotFound
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db


def make(boss: Actor, *numbers: str, **more: object) -> list[Extension]:
    given = [{"number": n, "display_name": f"Phone {n}", **more} for n in numbers]
    return [new.extension for new in service.create_many(boss, given)]


def test_it_makes_a_phone_with_a_password_that_works(house: Flask, boss: Actor) -> None:
    new = service.create(boss, {"number": "201", "display_name": "Anna"})
    assert len(new.password) >= 16
    (conf,) = read(db.session())
    assert conf.digest == digest_of("201", new.password)
    assert new.extension.user is None
    assert new.extension.features_pending


def test_it_keeps_the_password_sealed_and_out_of_the_audit_trail(house: Flask, boss: Actor) -> None:
    new = service.create(boss, {"number": "201", "display_name": "Anna", "sip_password": "Secret-and-long-1"})
    raw = db.session.connection().exec_driver_sql("SELECT sip_password FROM extensions").scalar_one()
    assert raw.startswith("v1:")
    assert new.password == "Secret-and-long-1"
    service.update(boss, new.extension.id, {"sip_password": "Another-and-long-2"})
    service.delete(boss, new.extension.id)
    trail = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in trail] == ["extension.create", "extension.update", "extension.delete"]
    everything = json.dumps([entry.details for entry in trail])
    assert "long-1" not in everything
    assert "long-2" not in everything
    assert new.extension is not None
    assert digest_of("201", "Secret-and-long-1") not in everything


@pytest.mark.parametrize("number", ["1", "1234567", "70a", "", "700", "720", "112", "٢٠١", "20 1"])
def test_it_refuses_numbers_that_cannot_be_a_phones(house: Flask, boss: Actor, number: str) -> None:
    with pytest.raises(Invalid) as refusal:
        service.create(boss, {"number": number, "display_name": "Anna"})
    assert set(refusal.value.fields) == {"number"}


def test_it_refuses_a_number_in_use_and_gives_a_deleted_one_free(house: Flask, boss: Actor) -> None:
    (row,) = make(boss, "201")
    with pytest.raises(Conflict) as refusal:
        make(boss, "201")
    assert refusal.value.field == "number"
    service.delete(boss, row.id)
    make(boss, "201")
    with pytest.raises(NotFound):
        service.get(boss, row.id)


def test_it_makes_all_or_none(house: Flask, boss: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        make(boss, "201", "202", "7")
    assert set(refusal.value.fields) == {"2.number"}
    assert service.used_numbers() == set()


def test_it_names_every_wrong_field(house: Flask, boss: Actor) -> None:
    wrong = {
        "number": "201",
        "display_name": "two\nlines",
        "email": "no address",
        "codec_preferences": ["g729"],
        "transport": "smoke",
        "max_contacts": 0,
        "ring_seconds": True,
        "language": "fr",
        "pickup_group": "a b",
        "forward_unconditional_enabled": "yes",
        "sip_password": "short",
    }
    with pytest.raises(Invalid) as refusal:
        service.create(boss, wrong)
    assert set(refusal.value.fields) == {
        "displayName", "email", "codecPreferences", "transport", "maxContacts", "ringSeconds", "language",
        "pickupGroup", "forwardUnconditionalEnabled", "sipPassword",
    }  # fmt: skip


def test_it_forwards_only_to_numbers_that_exist(house: Flask, boss: Actor) -> None:
    one, _two = make(boss, "201", "202")
    row = service.update(boss, one.id, {"forward_on_busy_enabled": True, "forward_on_busy_destination": "202"})
    assert row.forward_on_busy_destination == "extension:202"
    for bad in ("203", "extension:203", "voicemail:202", "201", "extension:201", "${SHELL(id)}", "*78"):
        with pytest.raises(Invalid) as refusal:
            service.update(boss, one.id, {"forward_on_busy_destination": bad})
        assert set(refusal.value.fields) == {"forwardOnBusyDestination"}, bad
    with pytest.raises(Invalid) as refusal:
        service.update(boss, one.id, {"forward_unconditional_enabled": True})
    assert set(refusal.value.fields) == {"forwardUnconditionalDestination"}


def test_it_shows_a_circle_of_forwardings(house: Flask, boss: Actor) -> None:
    one, two, three = make(boss, "201", "202", "203")
    for row, target in ((two, "203"), (three, "201")):
        service.update(
            boss, row.id, {"forward_unconditional_enabled": True, "forward_unconditional_destination": target}
        )
    row = service.update(
        boss, one.id, {"forward_on_no_answer_enabled": True, "forward_on_no_answer_destination": "202"}
    )
    assert destinations.circle(row, destinations.always_forwarded()) == ["201", "202", "203", "201"]
    row = service.update(boss, one.id, {"forward_on_no_answer_enabled": False})
    assert destinations.circle(row, destinations.always_forwarded()) == []


def test_a_new_number_takes_password_and_forwardings_along(house: Flask, boss: Actor) -> None:
    new = service.create(boss, {"number": "201", "display_name": "Anna"})
    (other,) = make(boss, "202")
    service.update(boss, other.id, {"forward_unconditional_enabled": True, "forward_unconditional_destination": "201"})
    service.update(boss, new.extension.id, {"number": "301"})
    found = {conf.number: conf for conf in read(db.session())}
    assert found["301"].digest == digest_of("301", new.password)
    assert service.get(boss, other.id).forward_unconditional_destination == "extension:301"


def test_deleting_switches_forwardings_to_it_off(house: Flask, boss: Actor) -> None:
    one, two = make(boss, "201", "202")
    service.update(boss, one.id, {"forward_on_busy_enabled": True, "forward_on_busy_destination": "202"})
    service.delete(boss, two.id)
    row = service.get(boss, one.id)
    assert (row.forward_on_busy_enabled, row.forward_on_busy_destination) == (False, None)


def test_a_bulk_change_is_all_or_none(house: Flask, boss: Actor) -> None:
    make(boss, "201", "202")
    with pytest.raises(Invalid) as refusal:
        service.update_many(
            boss, [({"number": "201"}, {"display_name": "New"}), ({"number": "202"}, {"ring_seconds": 1})]
        )
    assert set(refusal.value.fields) == {"1.ringSeconds"}
    rows = service.update_many(
        boss, [({"number": "202"}, {"display_name": "Two"}), ({"number": "201"}, {"number": "203"})]
    )
    assert [(row.number, row.display_name) for row in rows] == [("202", "Two"), ("203", "Phone 201")]
    with pytest.raises(NotFound):
        service.update_many(boss, [({"number": "202"}, {}), ({"number": "999"}, {})])


def test_the_owner_changes_a_limited_set(house: Flask, boss: Actor, anna: Actor) -> None:
    mine, other = make(boss, "201", "202")
    service.update(boss, mine.id, {"user_id": anna.user_id})
    row = service.update(
        anna, mine.id, {"dnd_enabled": True, "ring_seconds": 20, "language": "de-DE", "email": "Anna@Example.com"}
    )
    assert (row.dnd_enabled, row.ring_seconds, row.language, row.email) == (True, 20, "de", "anna@example.com")
    for field, value in (
        ("display_name", "Boss"),
        ("number", "203"),
        ("sip_password", "Secret-and-long-1"),
        ("user_id", None),
    ):
        with pytest.raises(Forbidden):
            service.update(anna, mine.id, {field: value})
    with pytest.raises(Forbidden):
        service.update(anna, other.id, {"dnd_enabled": True})
    with pytest.raises(Forbidden):
        service.get(anna, other.id)
    with pytest.raises(Forbidden):
        make(anna, "205")
    with pytest.raises(Forbidden):
        service.delete(anna, mine.id)


def test_the_owner_must_exist(house: Flask, boss: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        make(boss, "201", user_id="00000000-0000-0000-0000-00000000dead")
    assert set(refusal.value.fields) == {"userId"}


def test_it_makes_many_phones_around_numbers_in_use(house: Flask, boss: Actor) -> None:
    make(boss, "699", "202")
    made = service.bulk_create(boss, "698", 3, "Desk {number}")
    assert [(new.extension.number, new.extension.display_name) for new in made] == [
        ("698", "Desk 698"), ("721", "Desk 721"), ("722", "Desk 722"),
    ]  # fmt: skip
    assert len({new.password for new in made}) == 3
    with pytest.raises(Invalid):
        service.bulk_create(boss, "98", 3)


@pytest.mark.parametrize(("digits", "numbers"), [(2, ["21", "22"]), (3, ["201", "202"]), (4, ["2001", "2002"])])
def test_the_wizard_makes_the_first_phones(house: Flask, boss: Actor, digits: int, numbers: list[str]) -> None:
    made = service.create_first_phones(boss, 2, digits)
    assert [new.extension.number for new in made] == numbers
    assert service.suggest_number() == str(int(numbers[-1]) + 1)
