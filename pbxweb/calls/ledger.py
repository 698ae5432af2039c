"""Writing calls into the history: the call, its parties and the tallies, all in the caller's transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.orm import Session

from pbxweb.calls.fold import Folded, Leg
from pbxweb.calls.models import DAY, EVER, EVERYBODY, HOUR, Call, Number, Party, Tally, call_id, kind_of

LONGEST = 80


@dataclass(frozen=True)
class Entry:
    """A call ready to be written: the columns of its row, all its numbers, and which of them are phones here."""

    row: dict[str, Any]
    names: dict[str, str]
    phones: frozenset[str]


def entry_of(call: Folded, names: Mapping[str, str]) -> Entry:
    """What to write for ``call``. ``names``: display name by phone number, as they are now."""
    caller = names.get(call.caller_number) or call.caller_name
    numbers = {call.caller_number: caller, call.called_number: names.get(call.called_number, "")}
    phones = {leg.number for leg in call.legs if leg.phone} | ({call.called_number} & set(names))
    for leg in call.legs:
        numbers[leg.number] = names.get(leg.number) or numbers.get(leg.number) or leg.name
    row = {
        "id": call_id(call.linkedid),
        "linkedid": call.linkedid,
        "kind": kind_of(call.direction, call.disposition),
        "started": call.started,
        "answered": call.answered,
        "ended": call.ended,
        "caller_number": call.caller_number[:LONGEST],
        "caller_name": caller[:LONGEST],
        "called_number": call.called_number[:LONGEST],
        "called_name": numbers[call.called_number][:LONGEST],
        "answered_by": call.answered_by[:LONGEST],
        "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds,
        "cut": call.cut,
        "story": _story(call, names),
    }
    known = {number[:LONGEST]: name[:LONGEST] for number, name in numbers.items() if number}
    return Entry(row, known, frozenset(phones & set(known)))


def _story(call: Folded, names: Mapping[str, str]) -> str:
    legs = [_leg(leg, names) for leg in call.legs]
    steps = [{"at": step.at, "what": step.what, "by": step.by, "to": step.to} for step in call.steps]
    return json.dumps({"legs": legs, "steps": steps}, ensure_ascii=False, separators=(",", ":"))


def _leg(leg: Leg, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "number": leg.number,
        "name": names.get(leg.number) or leg.name,
        "phone": leg.phone,
        "role": leg.role,
        "dialled": leg.dialled,
        "outcome": leg.outcome,
        "started": leg.started,
        "answered": leg.answered,
        "ended": leg.ended,
        "cause": leg.cause,
    }


def write(session: Session, entries: Sequence[Entry]) -> list[int]:
    """Write the calls, their parties, numbers and tallies; returns the new calls' ``seq``. Does not commit."""
    if not entries:
        return []
    rows = [entry.row for entry in entries]
    made = list(session.scalars(insert(Call).returning(Call.seq, sort_by_parameter_order=True), rows))
    parties = [
        {
            "number": number,
            "kind": e.row["kind"],
            "started": e.row["started"],
            "seq": seq,
            "talk_seconds": e.row["talk_seconds"],
        }
        for e, seq in zip(entries, made, strict=True)
        for number in e.names
    ]
    session.execute(insert(Party), parties)
    _count_numbers(session, entries)
    _count_calls(session, entries)
    return made


def _count_numbers(session: Session, entries: Iterable[Entry]) -> None:
    calls = Counter(number for entry in entries for number in entry.names)
    names: dict[str, str] = {}
    for entry in entries:
        names.update({number: name for number, name in entry.names.items() if name or number not in names})
    statement = upsert(Number)
    statement = statement.on_conflict_do_update(
        index_elements=[Number.number],
        set_={
            "calls": Number.calls + statement.excluded.calls,
            "name": case((statement.excluded.name == "", Number.name), else_=statement.excluded.name),
        },
    )
    session.execute(statement, [{"number": n, "name": names[n], "calls": count} for n, count in calls.items()])


def buckets(started: int) -> tuple[tuple[int, int], ...]:
    """The hour, the day and the eternity in which a call that began at ``started`` is counted: (span, bucket)."""
    return (HOUR, started - started % HOUR), (DAY, started - started % DAY), (EVER, 0)


def _count_calls(session: Session, entries: Iterable[Entry]) -> None:
    calls: Counter[tuple[str, int, int, int]] = Counter()
    talk: Counter[tuple[str, int, int, int]] = Counter()
    for entry in entries:
        for number in (EVERYBODY, *entry.phones):
            for span, bucket in buckets(entry.row["started"]):
                key = (number, span, bucket, entry.row["kind"])
                calls[key] += 1
                talk[key] += entry.row["talk_seconds"]
    statement = upsert(Tally)
    statement = statement.on_conflict_do_update(
        index_elements=[Tally.number, Tally.span, Tally.bucket, Tally.kind],
        set_={
            "calls": Tally.calls + statement.excluded.calls,
            "talk_seconds": Tally.talk_seconds + statement.excluded.talk_seconds,
        },
    )
    session.execute(
        statement,
        [
            {
                "number": n,
                "span": span,
                "bucket": bucket,
                "kind": kind,
                "calls": count,
                "talk_seconds": talk[n, span, bucket, kind],
            }
            for (n, span, bucket, kind), count in calls.items()
        ],
    )


def known(session: Session, linkedids: Iterable[str]) -> dict[str, set[int]]:
    """Which of these Linkedids the history has: when their calls started."""
    found: dict[str, set[int]] = {}
    rows = session.execute(select(Call.linkedid, Call.started).where(Call.linkedid.in_(set(linkedids))))
    for linkedid, started in rows:
        found.setdefault(linkedid, set()).add(started)
    return found


def forget(session: Session) -> None:
    """Delete the whole history (not what Asterisk wrote). Does not commit."""
    for table in (Call, Party, Number, Tally):
        session.execute(delete(table))
