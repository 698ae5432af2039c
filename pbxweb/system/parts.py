"""The live parts of the dashboard, of every page's head, and of the first run's list of phones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import render_template

from pbxweb.calls.live import live_calls
from pbxweb.calls.reader import TOPIC as HISTORY
from pbxweb.live.feed import CALLS, CONTACTS, ENGINE
from pbxweb.live.model import ContactChange
from pbxweb.security.identity import actor
from pbxweb.system import health, overview
from pbxweb.web.live import Hub, Part

if TYPE_CHECKING:
    from pbxweb.live.bus import Message

TICK = "system.tick"


def _banner(_key: str) -> str:
    return render_template("web/_banner.html", live=True)


def _health(_key: str) -> str:
    return render_template("system/_health.html", findings=health.findings(actor()), live=True)


def _figures(_key: str) -> str:
    return render_template("system/_figures.html", o=overview.of(actor()), live=True)


def _calls(_key: str) -> str:
    return render_template("system/_calls.html", calls=live_calls(actor()), live=True)


def _recent(_key: str) -> str:
    return render_template("system/_recent.html", calls=overview.recent_calls(actor()), live=True)


def _phone(number: str) -> str:
    if not number.isdecimal():
        return ""
    return render_template(
        "system/_phone.html", number=number, online=number in overview.snapshot().online(), live=True
    )


def _phones(message: Message) -> Iterable[str] | None:
    return [message.payload.contact.aor] if isinstance(message.payload, ContactChange) else None


def add_to(hub: Hub) -> None:
    """Make the parts known."""
    hub.add(Part("dashboard-calls", "calls.live", (CALLS, ENGINE), _calls))
    hub.add(Part("engine", "dashboard.read", (ENGINE,), _banner))
    hub.add(Part("health", "dashboard.read", (ENGINE, CONTACTS, TICK), _health))
    hub.add(Part("figures", "dashboard.read", (CALLS, CONTACTS, ENGINE, HISTORY), _figures))
    hub.add(Part("recent", "calls.history", (HISTORY,), _recent))
    hub.add(Part("signed-in", "extensions.list", (CONTACTS, ENGINE), _phone, _phones))
