"""Reading Asterisk's channel events into the history: each call exactly once, however often and wherever it is killed.

A portion of events is read, and in *one* transaction of pbxweb's database the finished calls, the events of unfinished
ones and the watermark are written. Asterisk's file is only read, and pruned later far behind the watermark.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pbxweb.calls import cel, ledger
from pbxweb.calls.cel import Event, Source
from pbxweb.calls.fold import Folded, fold
from pbxweb.calls.models import Intake, OpenEvent, call_id, micro
from pbxweb.calls.streams import Group, Streams
from pbxweb.extensions.models import Extension
from pbxweb.storage.database import begin_write, db

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbxweb.settings import Settings

log = logging.getLogger(__name__)

PORTION = 4000
KEEP_DAYS = 7
# A call whose channels Asterisk does not have, and that was silent for so long, has ended without its last event.
SILENT = 10_000_000


@dataclass(frozen=True)
class Living:
    """What is sure about Asterisk: since when it runs, and which channels (Uniqueids) it had at ``at``."""

    since: datetime | None
    at: datetime
    channels: frozenset[str]


@dataclass(frozen=True)
class Result:
    """What a reading did: events read, calls written, calls that are still under way."""

    events: int = 0
    calls: int = 0
    under_way: int = 0


def ingest(path: Path, living: Living | None = None) -> Result:
    """Read everything that Asterisk has written to ``path`` since the last time. Needs an application context.

    In: ``living`` (when Asterisk can be asked) closes the calls under which an earlier Asterisk died.
    Out: what was done; nothing while there is no file yet. Raises sqlite3.Error and SQLAlchemyError with nothing
    changed for the portion under way; the next call goes on where the last one that was committed ended.
    """
    total = Result()
    if not path.exists():
        return total
    with Source(path) as source:
        while source.ready:
            read, calls, left = _portion(source, living)
            total = Result(total.events + read, total.calls + calls, left)
            if read < PORTION:
                break
    return total


def _portion(source: Source, living: Living | None) -> tuple[int, int, int]:
    begin_write()
    session = db.session()
    try:
        state = _state(session)
        _check_file(source, state)
        rows = source.after(state.watermark, PORTION)
        kept = [Event.load(body) for body in session.scalars(select(OpenEvent.body).order_by(OpenEvent.n))]
        last = len(rows) < PORTION
        if not rows and not (kept and living):
            session.rollback()
            return 0, 0, len(kept)
        fresh = [Event(n=state.events + i, **fields) for i, (_, _, fields) in enumerate(rows, 1)]
        had = {event.same for event in kept}
        fresh = [event for event in fresh if event.same not in had]
        streams = Streams()
        ended = [fold(events) for event in (*kept, *fresh) if (events := streams.feed(event))]
        if last and living:
            ended += _lost(streams, living, state.alive)
        calls = _write(session, [call for call in ended if call])
        _keep(session, kept, streams.open)
        if rows:
            state.watermark, state.mark = rows[-1][0], rows[-1][1]
            state.events += len(rows)
        if last and living:
            state.alive = max(state.alive, micro(living.at))
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return len(rows), calls, len(streams.open)


def _state(session: Session) -> Intake:
    state = session.get(Intake, 1)
    if state is None:
        state = Intake(id=1, watermark=0, mark="", events=0, alive=0)
        session.add(state)
    return state


def _check_file(source: Source, state: Intake) -> None:
    """Begin anew where the row at the watermark is not the one that was read: the file was replaced or cut."""
    if state.watermark and source.mark_of(state.watermark) != state.mark:
        log.warning("Asterisk's file of channel events is another one than before: reading it from its beginning")
        state.watermark, state.mark = 0, ""


def _lost(streams: Streams, living: Living, alive: int) -> list[Folded | None]:
    """The calls that Asterisk took with it when it died; they ended when it was last known to run."""
    since = micro(living.since) if living.since else 0
    now = micro(living.at)

    def lost(group: Group) -> bool:
        if any(uniqueid in living.channels for uniqueid in group.channels):
            return False
        return group.last < since or now - group.last > SILENT

    ended = []
    for events in streams.close(lost):
        last = max(event.at for event in events)
        death = min(since, alive) if since > last else 0
        ended.append(fold(events, cut_at=max(last, death)))
    return ended


def _write(session: Session, calls: Sequence[Folded]) -> int:
    """Write what the history does not have yet (a file that is read again has it already)."""
    if not calls:
        return 0
    have = ledger.known(session, (linkedid for call in calls for linkedid in call.linkedids))
    new: list[Folded] = []
    for call in calls:
        starts = set().union(*(have.get(linkedid, set()) for linkedid in call.linkedids))
        if starts and (not call.complete or call.started in starts):
            continue
        have.setdefault(call.linkedid, set()).add(call.started)
        new.append(call)
    names = _names(session, new)
    entries = [ledger.entry_of(call, names) for call in new]
    for call, entry in zip(new, entries, strict=True):
        if len(have[call.linkedid]) > 1:
            entry.row["id"] = call_id(f"{call.linkedid} {call.started}")
    return len(ledger.write(session, entries))


def _names(session: Session, calls: Iterable[Folded]) -> dict[str, str]:
    numbers = {leg.number for call in calls for leg in call.legs} | {call.called_number for call in calls}
    rows = session.execute(select(Extension.number, Extension.display_name).where(Extension.number.in_(numbers)))
    return {row.number: row.display_name for row in rows}


def _keep(session: Session, before: Sequence[Event], after: Sequence[Event]) -> None:
    had, have = {event.n for event in before}, {event.n for event in after}
    if gone := had - have:
        session.execute(delete(OpenEvent).where(OpenEvent.n.in_(gone)))
    if new := [{"n": event.n, "body": event.dump()} for event in after if event.n not in had]:
        session.execute(insert(OpenEvent), new)


def note_alive(at: datetime) -> None:
    """Remember that Asterisk was running at ``at`` (it is about to be, or was just, lost). Needs an app context."""
    begin_write()
    try:
        state = _state(db.session())
        state.alive = max(state.alive, micro(at))
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def prune(settings: Settings, *, keep_days: int = KEEP_DAYS) -> int:
    """Delete from Asterisk's files what is older than ``keep_days`` days and (the events) is in the history.

    Out: how many rows went. Needs an application context; what cannot be done today is done tomorrow.
    """
    before = time.time() - keep_days * 86400
    watermark = db.session.scalar(select(Intake.watermark).where(Intake.id == 1)) or 0
    db.session.rollback()
    try:
        gone = cel.prune_records(settings.cdr_database, before)
        if settings.cel_database.exists():
            with Source(settings.cel_database) as source:
                gone += source.prune(watermark, before) if source.ready else 0
        return gone
    except sqlite3.Error as error:
        log.warning("Asterisk's files of calls could not be pruned: %s", error)
        return 0
