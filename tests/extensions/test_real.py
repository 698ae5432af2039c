"""The whole application with a real Asterisk and real phones: what is said on a page is true on the phone, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from pbxweb.asterisk.engine import PrivateEngine
from pbxweb.extensions import service, shown
from pbxweb.extensions.models import Extension
from pbxweb.live.feed import FEATURES
from pbxweb.runtime import Runtime
from pbxweb.security.audit import AuditEntry
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import CHECKOUT, Address, Settings
from pbxweb.storage.database import db
from tests.asterisk.pbx import HOST, free_ports, free_range, until
from tests.asterisk.phones import Phone, Phones, phones_at
from tests.conftest import make_app

BOSS = Actor("Boss", Role.ADMIN, "00000000-0000-0000-0000-000000000001")


class Live:
    """One instance with everything that runs beside the web, in this process."""

    def __init__(self, home: Path) -> None:
        sip, tls, ami, http = free_ports(count=4)
        self.settings = Settings(
            home=home,
            engine_dir=CHECKOUT / "var" / "engine",
            http=Address(HOST, http),
            sip_bind=Address(HOST, sip),
            sip_tls_port=tls,
            rtp=free_range(40),
            ami_port=ami,
        )
        self.app: Flask = make_app(self.settings)
        self.runtime = Runtime(self.app)

    def start(self) -> Live:
        self.runtime.start()
        self.connected()
        return self

    def connected(self) -> None:
        until(lambda: self.runtime.link.connected and self.runtime.feed.snapshot().engine.up, what="Asterisk")

    def stop(self) -> None:
        self.runtime.stop()
        PrivateEngine(self.settings).stop()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def make(self, number: str, **more: Any) -> str:
        """A new phone; its password."""
        with self.app.app_context():
            given = {"number": number, "display_name": f"Phone {number}", "ring_seconds": 8, **more}
            return service.create(BOSS, given).password

    def change(self, which: str, **given: Any) -> None:
        with self.app.app_context():
            row = service.by_number(which)
            assert row
            service.update(BOSS, row.id, given)

    def row(self, number: str) -> Extension:
        with self.app.app_context():
            row = db.session.scalar(select(Extension).where(Extension.number == number))
            assert row
            db.session.expunge(row)
            return row

    def stored(self, feature: str, number: str) -> str | None:
        """What Asterisk's own database has."""
        return self.runtime.link.dbget(f"pbxweb-{feature}", number)

    def clear(self) -> None:
        with self.app.app_context():
            ids = list(db.session.scalars(select(Extension.id)))
            if ids:
                service.delete_many(BOSS, ids)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    one = Live(tmp_path_factory.mktemp("live"))
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture
def live(running: Live) -> Iterator[Live]:
    yield running
    running.connected()
    running.clear()


@pytest.fixture
def phones(live: Live, tmp_path: Path) -> Iterator[Phones]:
    with phones_at(live.settings, tmp_path / "phones") as made:
        yield made


def pair(live: Live, phones: Phones) -> tuple[Phone, Phone]:
    """Two phones that were just made, signed in."""
    return tuple(phones.add(number, password=live.make(number)) for number in ("201", "202"))  # type: ignore[return-value]


def dial_code(phone: Phone, code: str) -> None:
    phone.forget()
    phone.dial(code).talking()
    phone.closed()


def test_a_phone_that_was_just_made_signs_in_and_rings(live: Live, phones: Phones) -> None:
    first, second = pair(live, phones)
    first.dial("202")
    second.answer().talking()
    first.talking().hang_up()


def test_a_new_password_and_a_new_number_are_true_at_once(live: Live, phones: Phones) -> None:
    first = phones.add("201", password=live.make("201"))
    live.make("202", sip_password="The-first-password-1")
    live.change("202", number="203", sip_password="The-second-password-2")
    third = phones.add("203", password="The-second-password-2")
    first.dial("203")
    third.wait("CALL_INCOMING")
    first.hang_up()
    old = phones.start("203", password="The-first-password-1")
    until(lambda: " 401 " in old.log() or " 403 " in old.log(), what="the old password to be refused")


def test_do_not_disturb_is_the_same_on_phone_and_page(live: Live, phones: Phones) -> None:
    first, second = pair(live, phones)
    with live.runtime.bus.subscribe([FEATURES]) as news:
        dial_code(second, "*78")
        until(lambda: live.row("202").dnd_enabled, what="the page to know")
        told = [message.payload.headers for message in news.drain(30)]
    assert {"Extension": "202", "Feature": "dnd", "Value": "1"}.items() <= told[-1].items()
    with live.app.app_context():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "extension.features")).all()[-1]
        assert (entry.via, entry.actor_name) == ("phone", "Phone 202")
    first.dial("202")
    assert "486" in first.closed()
    live.change("202", dnd_enabled=False)
    assert live.stored("dnd", "202") is None
    first.forget()
    first.dial("202")
    second.wait("CALL_INCOMING")
    first.hang_up()
    live.change("202", dnd_enabled=True)
    assert live.stored("dnd", "202") == "1"
    assert live.runtime.link.getvar("DEVICE_STATE(Custom:DND202)") == "BUSY"
    assert not live.row("202").features_pending
    dial_code(second, "*79")
    until(lambda: not live.row("202").dnd_enabled, what="the page to know")


def test_forwarding_is_the_same_on_phone_and_page(live: Live, phones: Phones) -> None:
    first, second = pair(live, phones)
    third = phones.add("203", password=live.make("203"))
    dial_code(second, "*72203")
    until(lambda: live.row("202").forward_unconditional_destination == "extension:203", what="the page to know")
    first.dial("202")
    third.wait("CALL_INCOMING")
    first.hang_up()
    live.change("202", forward_unconditional_enabled=False)
    assert live.stored("cfu", "202") is None
    first.forget()
    second.forget()
    first.dial("202")
    second.wait("CALL_INCOMING")
    first.hang_up()
    live.change(
        "202", forward_on_no_answer_enabled=True, forward_on_no_answer_destination="203", forward_on_no_answer_timeout=5
    )
    for phone in (first, second, third):
        phone.forget()
    first.dial("202")
    second.wait("CALL_INCOMING")
    third.wait("CALL_INCOMING")
    first.hang_up()
    dial_code(second, "*73")
    assert live.row("202").forward_on_no_answer_enabled


def test_a_deleted_phones_settings_do_not_haunt_its_number(live: Live) -> None:
    live.make("201")
    live.make("202", dnd_enabled=True)
    live.change("201", forward_unconditional_enabled=True, forward_unconditional_destination="202")
    assert (live.stored("cfu", "201"), live.stored("dnd", "202")) == ("202", "1")
    with live.app.app_context():
        row = service.by_number("202")
        assert row
        service.delete(BOSS, row.id)
    assert (live.stored("cfu", "201"), live.stored("dnd", "202")) == (None, None)


def test_the_devices_are_shown_with_what_they_say(live: Live, phones: Phones) -> None:
    phones.add("201", password=live.make("201"), transport="tcp")

    def details() -> dict[str, Any] | None:
        with live.app.app_context():
            row = service.by_number("201")
            assert row
            (found,) = shown.whole(row, BOSS)["registrations"] or [None]
            return found if found and found["user_agent"] and found["round_trip_ms"] is not None else None

    found = until(details, what="the device's details")
    assert "baresip" in found["user_agent"]
    assert (found["ip_address"], found["transport"], found["reachable"]) == (HOST, "tcp", True)
    assert found["expires_at"] is not None
    assert found["registered_at"] is not None
    seen = until(lambda: (r := live.row("201")).last_registered_at and r, what="the last time to be noted")
    assert "baresip" in until(lambda: live.row("201").last_user_agent, what="the program to be noted")
    assert seen.updated_at == live.row("201").updated_at


def test_a_change_while_asterisk_is_down_is_made_up_for(live: Live) -> None:
    live.make("201")
    live.make("202")
    live.change("202", dnd_enabled=True)
    engine = PrivateEngine(live.settings)
    engine.cli("database put pbxweb-cfu 201 202")
    engine.cli("database put pbxweb-dnd 999 1")
    engine.stop()
    live.change("202", dnd_enabled=False)
    live.connected()
    until(lambda: not live.row("202").features_pending, what="the change to arrive")
    assert live.stored("dnd", "202") is None
    until(lambda: live.row("201").forward_unconditional_enabled, what="what a phone set meanwhile to be read back")
    assert live.row("201").forward_unconditional_destination == "extension:202"
    until(lambda: live.stored("dnd", "999") is None, what="nobody's setting to be removed")


def test_a_new_asterisk_learns_what_was_set(live: Live) -> None:
    live.make("201", dnd_enabled=True)
    engine = PrivateEngine(live.settings)
    for family in ("pbxweb", "pbxweb-dnd"):
        engine.cli(f"database deltree {family}")
    live.runtime.link.reconnect()
    until(lambda: "/pbxweb-dnd/201" in engine.cli("database show pbxweb-dnd"), what="the setting to be there again")
    assert live.row("201").dnd_enabled


def test_an_undo_is_heard_by_the_phones_too(live: Live) -> None:
    live.make("230")
    live.change("230", dnd_enabled=True, display_name="Busy bee")
    until(lambda: live.stored("dnd", "230") == "1", what="do not disturb in Asterisk")
    with live.app.app_context():
        applier = live.app.extensions["pbxweb.applier"]
        applier.undo(BOSS, applier.history(db.session(), 1)[0].number)
    assert live.row("230").display_name == "Phone 230"
    assert not live.row("230").dnd_enabled
    until(lambda: live.stored("dnd", "230") is None, what="Asterisk to forget it")
