"""What the phones tell while pbxweb runs: their codes, and that they are there. One thread, in the order of events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from pbxweb.asterisk.ami import AmiError, Event
from pbxweb.extensions import features
from pbxweb.extensions.models import Extension
from pbxweb.live.bus import RESYNC, Message
from pbxweb.live.feed import CONTACTS
from pbxweb.live.model import Contact, ContactChange
from pbxweb.storage.database import begin_write, db, utcnow

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime

log = logging.getLogger(__name__)

TOPIC = "extensions.watch"
# "Last seen" needs no more detail than this; each write wakes the disk.
REMEMBER_EVERY = timedelta(minutes=30)


@dataclass(frozen=True)
class Connected:
    """The link to Asterisk is up (again)."""


@dataclass(frozen=True)
class Dialled:
    """A phone used a code."""

    number: str
    feature: str
    value: str


def start(runtime: Runtime) -> None:
    """Listen from now on, until the bus is closed."""
    subscription = runtime.bus.subscribe([TOPIC, CONTACTS], max_queue=5000)

    def on_state(up: bool, _text: str) -> None:
        if up:
            runtime.bus.publish(TOPIC, Connected())

    def on_event(event: Event) -> None:
        if event.name == "UserEvent" and event.get("UserEvent") == features.EVENT:
            what = Dialled(event.get("Extension"), event.get("Feature"), event.get("Value"))
            runtime.bus.publish(TOPIC, what)

    def run() -> None:
        while not subscription.closed:
            messages = subscription.drain()
            if messages:
                handle(runtime, messages)

    runtime.link.on_state(on_state)
    runtime.link.on_event(on_event)
    threading.Thread(target=run, name="extensions", daemon=True).start()


def handle(runtime: Runtime, messages: Iterable[Message]) -> None:
    """Do what the messages ask for. What fails is logged; the next connection makes up for it."""
    seen: list[Contact] = []
    with runtime.app.app_context():
        for message in messages:
            try:
                _one(runtime, message, seen)
            except AmiError as error:
                log.warning("forwardings and do not disturb were not compared with Asterisk: %s", error)
            except Exception:
                log.exception("a phone's message was lost: %r", message)
        try:
            remember(seen)
        except Exception:
            log.exception("who was last seen could not be stored")


def _one(runtime: Runtime, message: Message, seen: list[Contact]) -> None:
    match message.payload:
        case ContactChange(contact=contact):
            seen.append(contact)
        case Dialled(number=number, feature=feature, value=value):
            features.heard(runtime, number, feature, value)
        case _ if isinstance(message.payload, Connected) or message.topic == RESYNC:
            features.reconcile(runtime)


def remember(contacts: Iterable[Contact]) -> None:
    """Store when phones were last there and with what program, if that is news."""
    latest = {contact.aor: contact for contact in contacts}
    if not latest:
        return
    now = utcnow()
    columns = (Extension.number, Extension.last_registered_at, Extension.last_user_agent)
    rows = db.session.execute(select(*columns).where(Extension.number.in_(latest))).all()
    db.session.rollback()
    news = []
    for number, at, agent in rows:
        known = latest[number].user_agent[:200]
        if at is None or now - at > REMEMBER_EVERY or (known and known != agent):
            news.append((number, known or agent))
    if not news:
        return
    begin_write()
    for number, agent in news:
        values = {"last_registered_at": now, "last_user_agent": agent, "updated_at": Extension.updated_at}
        db.session.execute(update(Extension).where(Extension.number == number).values(values))
    db.session.commit()
