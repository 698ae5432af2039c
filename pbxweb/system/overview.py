"""The dashboard's figures: a handful of seeks and the live state, no question to Asterisk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import Select, select

from pbxweb.calls import history, tallies
from pbxweb.calls.live import LiveCall, live_calls
from pbxweb.calls.models import EVERYBODY, Call, micro, words_of
from pbxweb.extensions.models import Extension, Status
from pbxweb.live.model import Engine, State
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db, utcnow
from pbxweb.web.languages import timezone

if TYPE_CHECKING:
    from pbxweb.runtime import Runtime

RECENT = 8
NOTHING = State()


@dataclass(frozen=True)
class Overview:
    """What is going on, as far as ``actor`` may know: own phones and own calls for some, everything for others."""

    engine: Engine
    phones: int
    phones_online: int
    live: tuple[LiveCall, ...]
    calls_today: int
    answered_today: int
    missed_today: int
    talk_seconds_today: int
    recent: tuple[Call, ...]
    own: frozenset[str] | None


def runtime() -> Runtime | None:
    """What runs beside the web; None in a command or a test without it."""
    found: Runtime | None = current_app.extensions.get("pbxweb.runtime")
    return found


def snapshot() -> State:
    """What is going on now."""
    found = runtime()
    return found.feed.snapshot() if found else NOTHING


def today() -> datetime:
    """When today began for the reader."""
    zone = ZoneInfo(timezone() or "UTC")
    return utcnow().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def recent_calls(actor: Actor) -> tuple[Call, ...]:
    """The last ended calls that ``actor`` may see, newest first."""
    return tuple(history.calls(actor, history.Filter(), limit=RECENT).calls)


def of(actor: Actor) -> Overview:
    """The figures for ``actor``."""
    own = history.own_numbers(actor, "calls.statistics")
    begin = today()
    numbers = [EVERYBODY] if own is None else list(own)
    by_kind = tallies.sums(numbers, micro(begin), micro(begin + timedelta(days=1)))
    words = {kind: words_of(kind) for kind in by_kind}
    rows = set(db.session.scalars(_active())) if own is None else set(own)
    return Overview(
        engine=snapshot().engine,
        phones=len(rows),
        phones_online=len(rows & snapshot().online()),
        live=tuple(live_calls(actor)),
        calls_today=sum(calls for calls, _talk in by_kind.values()),
        answered_today=sum(calls for kind, (calls, _t) in by_kind.items() if words[kind][1] == "answered"),
        missed_today=sum(calls for kind, (calls, _t) in by_kind.items() if words[kind][1] == "missed"),
        talk_seconds_today=sum(talk for _calls, talk in by_kind.values()),
        recent=recent_calls(actor),
        own=None if own is None else frozenset(own),
    )


def _active() -> Select[str]:
    return select(Extension.number).where(Extension.status == Status.ACTIVE)
