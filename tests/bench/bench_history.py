"""The history of a million calls beside one of ten thousand, both over three years, each question beside its floor."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from pbxweb.calls.models import DAY, EVER, HOUR, MICRO
from pbxweb.security import sessions, tokens
from pbxweb.settings import Settings
from pbxweb.storage.database import db, new_id
from pbxweb.users.models import Status, User
from tests.bench.tables import median_seconds, milliseconds, table
from tests.conftest import make_app

SMALL, LARGE = 10_000, 1_000_000
BAR = 0.020


# Made inside SQLite, because a million rows through Python take minutes. ``mix`` is a number that looks random.
CALLS = """
WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < :count),
mixed AS (SELECT seq, :begin + (:end - :begin) / :count * seq AS started,
  seq * 2654435761 % 4294967296 / 7 AS mix FROM n),
drawn AS (SELECT *, CASE WHEN mix % 10 < 5 THEN 0 WHEN mix % 10 < 8 THEN 1 ELSE 2 END AS direction,
  CASE WHEN mix / 10 % 100 < 70 THEN 0 WHEN mix / 10 % 100 < 92 THEN 1 WHEN mix / 10 % 100 < 98 THEN 2 ELSE 3 END
  AS disposition FROM mixed),
told AS (SELECT *, 200 + mix / 1000 % 100 AS one, 200 + (mix / 1000 + 1 + mix / 3000 % 98) % 100 AS two,
  '+4930' || (1000000 + mix / 11 % 2000 * 37) AS far,
  CASE disposition WHEN 0 THEN mix / 13 % 300 ELSE 0 END AS talk FROM drawn)
INSERT INTO calls (seq, id, linkedid, kind, started, answered, ended, caller_number, caller_name, called_number,
  called_name, answered_by, ring_seconds, talk_seconds, cut, story)
SELECT seq, printf('00000000-0000-4000-8000-%012d', seq), CAST(seq AS TEXT), direction * 4 + disposition, started,
  CASE disposition WHEN 0 THEN started END, started + talk * 1000000, CASE direction WHEN 1 THEN far ELSE one END,
  'Anna Schmidt', CASE direction WHEN 2 THEN far ELSE two END, 'Bert Meier', '', 4, talk, 0,
  json_object('legs', json_array(
    json_object('number', CAST(one AS TEXT), 'name', 'Anna Schmidt', 'phone', json('true'), 'role', 'calling',
      'dialled', CAST(two AS TEXT), 'outcome', 'answered', 'started', started, 'answered', started,
      'ended', started + talk * 1000000, 'cause', 16),
    json_object('number', CAST(two AS TEXT), 'name', 'Bert Meier', 'phone', json('true'), 'role', 'called',
      'dialled', '', 'outcome', CASE disposition WHEN 0 THEN 'answered' ELSE 'missed' END, 'started', started,
      'answered', CASE disposition WHEN 0 THEN started END, 'ended', started + talk * 1000000, 'cause', 16)),
    'steps', json_array()) FROM told
"""
PARTIES = """
INSERT INTO call_parties (number, started, seq, kind, talk_seconds)
SELECT caller_number AS number, started, seq, kind, talk_seconds FROM calls
UNION ALL SELECT called_number, started, seq, kind, talk_seconds FROM calls ORDER BY 1, 2, 3
"""
NUMBERS = "INSERT INTO call_numbers (number, name, calls) SELECT number, '', count(*) FROM call_parties GROUP BY number"
TALLIES = """
INSERT INTO call_tallies (number, span, bucket, kind, calls, talk_seconds)
SELECT {number}, :span, CASE :span WHEN 0 THEN 0 ELSE started - started % :span END, kind, count(*), sum(talk_seconds)
FROM {table} WHERE {phones} GROUP BY 1, 3, 4
"""


def fill(path: Path, count: int) -> None:
    """Write ``count`` calls of a hundred phones and two thousand numbers outside, over three years."""
    end = int(time.time() * MICRO)
    with sqlite3.connect(path) as file:
        file.execute(CALLS, {"count": count, "begin": end - 3 * 365 * DAY, "end": end})
        file.execute(PARTIES)
        file.execute(NUMBERS)
        for span in (HOUR, DAY, EVER):
            file.execute(TALLIES.format(number="''", table="calls", phones="1"), {"span": span})
            phones = TALLIES.format(number="number", table="call_parties", phones="number NOT LIKE '+%'")
            file.execute(phones, {"span": span})
    file.close()


def house(folder: Path, count: int) -> tuple[Flask, Callable[[str], object]]:
    """An application with so many calls, and a function that asks its API as an administrator."""
    rates = dict.fromkeys(("rate_login", "rate_api", "rate_calls"), "100000000/minute")
    app = make_app(Settings(home=folder, **rates))
    fill(app.extensions["pbxweb.settings"].database, count)
    with app.app_context():
        row = User(email="a@example.com", role="admin", first_name="A", last_name="B", status=Status.ACTIVE.value)
        db.session.add(row)
        db.session.flush()
        sign_in = new_id()
        pair = tokens.issue(row.id, sign_in)
        sessions.open_api(row.id, pair.refresh_hash, address="127.0.0.1", client="bench", row_id=sign_in)
        db.session.commit()
    client = app.test_client(use_cookies=False)

    def ask(path: str) -> object:
        answer = client.get(f"/api/v1/calls{path}", headers={"Authorization": f"Bearer {pair.access_token}"})
        assert answer.status_code == 200, answer.text
        return answer.json

    return app, ask


def floor(path: Path) -> float:
    """The least that a page can cost: fifty rows by a bare indexed query, without a web around it."""
    file = sqlite3.connect(path)
    seconds = median_seconds(lambda: file.execute("SELECT * FROM calls ORDER BY started DESC LIMIT 50").fetchall())
    file.close()
    return seconds


def test_history_of_a_million_calls(tmp_path: Path) -> None:
    houses = {count: house(tmp_path / str(count), count) for count in (SMALL, LARGE)}
    floors = [floor(app.extensions["pbxweb.settings"].database) for app, _ in houses.values()]
    pages = {
        "first page": lambda count: "/history",
        "deepest page": lambda count: f"/history?page={count // 50}",
        "a page in the middle": lambda count: f"/history?page={count // 100}",
        "one extension's page": lambda count: "/history?extension=205",
        "one extension's missed calls": lambda count: "/history?extension=205&disposition=missed",
        "search for a number": lambda count: "/history?search=205",
        "statistics": lambda count: "/statistics",
        "one extension's statistics": lambda count: "/statistics?extension=205",
    }
    asked: dict[str, list[float]] = {}
    for name, path in pages.items():
        taken: dict[int, list[float]] = {count: [] for count in houses}
        for _ in range(15):  # in turns, so that a busy moment of the machine hurts both alike
            for count, (_app, ask) in houses.items():
                began = time.perf_counter()
                ask(path(count))
                taken[count].append(time.perf_counter() - began)
        asked[name] = [statistics.median(values) for values in taken.values()]
    table(
        "history through the API, 10,000 | 1,000,000 calls (bar: 20 ms, and twice the same with 10,000)",
        [
            (name, " | ".join(milliseconds(value) for value in values))
            for name, values in {"floor: fifty rows, bare SQLite": floors, **asked}.items()
        ],
    )
    for app, _ in houses.values():
        with app.app_context():
            db.engine.dispose()
    for name in ("first page", "deepest page", "one extension's page", "statistics"):
        small, large = asked[name]
        assert large <= BAR, name
        assert large <= 2 * small, name
