"""From Asterisk's events to everybody who wants to know: rebuild on connect, reduce, publish."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime

from pbxweb.asterisk.ami import AmiError, AmiLink, Event, NotConnected
from pbxweb.live.bus import Bus
from pbxweb.live.model import (
    CallChange,
    Change,
    Contact,
    ContactChange,
    Engine,
    EngineChange,
    Feature,
    Rules,
    State,
)
from pbxweb.live.rebuild import contacts, rebuild
from pbxweb.live.state import reduce

log = logging.getLogger(__name__)

CALLS, CONTACTS, ENGINE, FEATURES, CONFIG = "calls", "contacts", "engine", "features", "config"
TOPICS = (CALLS, CONTACTS, ENGINE, FEATURES, CONFIG)
DETAILS_AFTER = 0.3
DETAILS_EVERY = 60.0
REBUILD_AGAIN_AFTER = 0.5


class Feed:
    """Holds the live state. All changes are made on the link's dispatch thread, in the order of the events.

    In: the link (its listeners are added here), the bus to publish on, and the rules that tell a line from a phone.
    Payloads: ``calls`` CallChange, ``contacts`` ContactChange, ``engine`` Engine, ``features`` Feature.
    """

    def __init__(self, link: AmiLink, bus: Bus, rules: Rules | None = None) -> None:
        self._link = link
        self._bus = bus
        self._rules = rules or Rules()
        self._state = State()
        self._known = False
        self._lock = threading.Lock()
        self._want_details = threading.Event()
        self._damaged = False
        self._stopping = threading.Event()
        self._details: threading.Thread | None = None
        link.on_state(self._link_changed)
        link.on_event(self._event)
        link.on_damage(self._damage)

    def start(self) -> None:
        """Begin to keep the devices' details (user agent, expiry) fresh; the link is started by its owner."""
        self._details = threading.Thread(target=self._keep_details, name="live-contacts", daemon=True)
        self._details.start()

    def stop(self) -> None:
        """End the thread; returns within about two seconds."""
        self._stopping.set()
        self._want_details.set()
        if self._details:
            self._details.join(2)

    def snapshot(self) -> State:
        """What is going on now: an immutable value, free of charge, from any thread."""
        return self._state

    def refresh_contacts(self) -> State:
        """Ask Asterisk for the devices' details now and return the state with them. Raises AmiError."""
        self._enrich(contacts(self._link))
        return self._state

    def _link_changed(self, up: bool, text: str) -> None:
        if not up:
            self._known = False
            engine = Engine(up=False, since=datetime.now(UTC), version=self._state.engine.version, problem=text)
            with self._lock:
                self._state = replace(self._state, engine=engine)
            self._bus.publish(ENGINE, engine)
            return
        self._rebuild()

    def _rebuild(self) -> None:
        """Ask Asterisk for everything and tell what is different. On the link's dispatch thread."""
        try:
            fresh = rebuild(self._link, self._rules, self._state)
        except NotConnected:
            return
        except AmiError as error:
            log.warning("the live state could not be rebuilt: %s", error)
            self._stopping.wait(REBUILD_AGAIN_AFTER)
            self._link.reconnect()
            return
        with self._lock:
            old, self._state = self._state, fresh
        self._known = True
        for change in difference(old, fresh):
            self._publish(change)
        log.info("live state: %d calls, %d devices", len(fresh.calls), len(fresh.contacts))

    def _event(self, event: Event) -> None:
        if not self._known:
            return
        with self._lock:
            self._state, changes = reduce(self._state, event, self._rules)
        for change in changes:
            self._publish(change)
            if isinstance(change, ContactChange) and not change.gone and change.contact.expires is None:
                self._want_details.set()

    def _damage(self) -> None:
        self._damaged = True
        self._want_details.set()

    def _publish(self, change: Change) -> None:
        match change:
            case CallChange():
                self._bus.publish(CALLS, change)
            case ContactChange():
                self._bus.publish(CONTACTS, change)
            case EngineChange():
                self._bus.publish(ENGINE, change.engine)
            case Feature():
                self._bus.publish(FEATURES, change)

    def _keep_details(self) -> None:
        """Asterisk's events name a device but do not describe it: ask soon after a new one, and now and then.

        An event that a caller has damaged is made up for by asking for everything.
        """
        while not self._stopping.is_set():
            self._want_details.wait(DETAILS_EVERY)
            self._want_details.clear()
            if self._stopping.wait(DETAILS_AFTER) or not self._known:
                continue
            if self._damaged:
                self._damaged = False
                self._link.run(self._rebuild)
                continue
            try:
                self._enrich(contacts(self._link))
            except AmiError as error:
                log.debug("the devices' details must wait: %s", error)

    def _enrich(self, described: dict[tuple[str, str], Contact]) -> None:
        """Details only: who is there, and whether reachable, is said by the events, in their order."""
        changed: list[Contact] = []
        with self._lock:
            present = dict(self._state.contacts)
            for key, found in described.items():
                known = present.get(key)
                if known is None:
                    continue
                better = replace(
                    found,
                    status=known.status,
                    registered=known.registered,
                    round_trip_ms=found.round_trip_ms or known.round_trip_ms,
                )
                if better != known:
                    present[key] = better
                    changed.append(better)
            if changed:
                self._state = replace(self._state, contacts=present)
        for contact in changed:
            self._bus.publish(CONTACTS, ContactChange(contact))


def difference(old: State, new: State) -> list[Change]:
    """What to tell those who knew ``old`` and missed how it became ``new``."""
    changes: list[Change] = [EngineChange(new.engine)]
    for call_id, call in new.calls.items():
        if call != old.calls.get(call_id):
            changes.append(CallChange("changed" if call_id in old.calls else "new", call))
    for call_id, call in old.calls.items():
        if call_id not in new.calls:
            gone = replace(call, state="ended", ended=None, channels=(), parked_at="", transferring=False)
            changes.append(CallChange("ended", gone))
    changes += [ContactChange(one) for key, one in new.contacts.items() if one != old.contacts.get(key)]
    changes += [
        ContactChange(replace(one, status="Removed"), gone=True)
        for key, one in old.contacts.items()
        if key not in new.contacts
    ]
    return changes
