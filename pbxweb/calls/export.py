"""The history as CSV: streamed, so that a million calls need no memory, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from sqlalchemy import select

from pbxweb.calls import seeks
from pbxweb.calls.history import Filter, plan_of
from pbxweb.calls.models import Call, moment, words_of
from pbxweb.calls.seeks import Place, Window
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db

COLUMNS = (
    "started", "answered", "ended", "direction", "outcome", "caller_number", "caller_name", "called_number",
    "called_name", "answered_by", "ring_seconds", "talk_seconds", "id",
)  # fmt: skip
PORTION = 1000
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PLAIN_NUMBER = re.compile(r"\+?[0-9*#]+")


def harmless(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs: what looks like a formula (and is no number) gets a ``'``."""
    return f"'{text}" if text.startswith(FORMULA) and not PLAIN_NUMBER.fullmatch(text) else text


def rows(actor: Actor, wanted: Filter, zone: tzinfo) -> Iterator[str]:
    """The CSV, portion by portion, newest call first; times are local with their offset.

    Needs an application context for as long as it runs. Raises Forbidden and Invalid at once.
    """
    plan = plan_of(actor, wanted)
    return _rows(plan, zone)


def _rows(plan: seeks.Plan, zone: tzinfo) -> Iterator[str]:
    yield "\ufeff" + _line(COLUMNS)
    at: Place | None = None
    while not plan.empty:
        places = seeks.places(plan, Window(at, PORTION))
        found = {row.seq: row for row in db.session.execute(_select([place.seq for place in places]))}
        db.session.rollback()
        yield "".join(_line(_cells(found[place.seq], zone)) for place in places if place.seq in found)
        if len(places) < PORTION:
            return
        at = places[-1]


def _select(seqs: list[int]) -> Any:
    table = Call.__table__
    names = ("caller_number", "caller_name", "called_number", "called_name", "answered_by")
    columns = [table.c[name] for name in ("seq", "id", "kind", "started", "answered", "ended", *names)]
    return select(*columns, table.c.ring_seconds, table.c.talk_seconds).where(table.c.seq.in_(seqs))


def _cells(row: Any, zone: tzinfo) -> tuple[str, ...]:
    times = (row.started, row.answered, row.ended)
    local = ("" if at is None else moment(at).astimezone(zone).isoformat(timespec="seconds") for at in times)
    names = (row.caller_number, row.caller_name, row.called_number, row.called_name, row.answered_by)
    return (*local, *words_of(row.kind), *map(harmless, names), str(row.ring_seconds), str(row.talk_seconds), row.id)


def _line(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
