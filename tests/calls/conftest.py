"""An application whose history is fed from a file of channel events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from pbxweb.calls import ledger
from pbxweb.calls.fold import Folded, Leg
from pbxweb.security.roles import Actor, Role
from pbxweb.storage.database import begin_write, db
from tests.calls.recorded import CelFile

MICRO = 1_000_000


@pytest.fixture
def cel(app: Flask) -> Iterator[CelFile]:
    """Asterisk's file of channel events, still empty."""
    file = CelFile(app.extensions["pbxweb.settings"].cel_database)
    yield file
    file.close()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application with a request's context, in UTC."""
    from flask import g

    with app.test_request_context("/"):
        g.timezone = "UTC"
        yield app
        db.session.rollback()


@pytest.fixture
def boss() -> Actor:
    """An administrator."""
    return Actor("Boss", Role.ADMIN, "00000000-0000-0000-0000-000000000001")


def made_call(
    started: float,
    caller: str = "201",
    called: str = "202",
    *,
    direction: str = "internal",
    disposition: str = "answered",
    talk: int = 60,
    name: str = "",
) -> Folded:
    """A call that needs no events: ``started`` in seconds since 1970."""
    at = round(started * MICRO)
    answered = at + 5 * MICRO if disposition == "answered" else None
    ended = (answered or at + 10 * MICRO) + (talk * MICRO if answered else 0)
    legs = [
        Leg(f"{at}.{i}", f"PJSIP/{n}-0000000{i}", n, "", n.isdigit() and len(n) < 7, role, "", at, answered, ended)
        for i, (n, role) in enumerate(((caller, "calling"), (called, "called")))
    ]
    return Folded(
        linkedid=f"{at}.{caller}", linkedids=(f"{at}.{caller}",), complete=True, started=at, ended=ended,
        answered=answered, direction=direction, disposition=disposition, caller_number=caller, caller_name=name,
        called_number=called, answered_by="", cut=False, legs=legs,
    )  # fmt: skip


def add(calls: list[Folded], names: dict[str, str] | None = None) -> list[int]:
    """Write calls into the history of the current application."""
    begin_write()
    made = ledger.write(db.session(), [ledger.entry_of(call, names or {}) for call in calls])
    db.session.commit()
    return made
