"""Hostile text in every field of a phone: refused with the field named, or stored unchanged; nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pbxweb.extensions import listing, service
from pbxweb.extensions.conf import pieces
from pbxweb.extensions.models import Extension
from pbxweb.extensions.rendering import read
from pbxweb.extensions.rules import RULES, camel
from pbxweb.security.errors import Conflict, Invalid
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db

SEEDS = [
    "two\nlines", "a\r\nAction: Command", ";", "]", "[x]\ntype=endpoint", "#include /etc/passwd", "${SHELL(id)}", "=>",
    'quo"te', "it's", "back\\slash", "\0", "\u202eRTL", "\U0001f600\u200d\U0001f467", "x" * 10_000, " ", "", "a;b",
    "<201>", "%s", "{number}", "*78", "202", "extension:", "extension:202;x", "202\n", "\uff12\uff10\uff11",
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(SEEDS), st.text(max_size=60), st.text(min_size=1, max_size=12).map(lambda t: f"{t}\n{t}")
)
ANYTHING = st.one_of(TEXT, st.none(), st.integers(), st.booleans(), st.lists(TEXT, max_size=3), st.floats())
STORED = {"codec_preferences": lambda row: row.codec_preferences}


@pytest.mark.parametrize("field", sorted(set(RULES) - {"sip_password"}))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING)
@example(value="two\nlines")
@example(value="x" * 10_000)
def test_it_is_refused_by_name_or_kept_as_it_is(house: Flask, boss: Actor, field: str, value: Any) -> None:
    row_id = stored(boss).id
    before = _columns(service.get(boss, row_id))
    others = [piece.text for piece in pieces(read(db.session())) if "[202]" in piece.text]
    try:
        row = service.update(boss, row_id, {field: value})
    except Invalid as refusal:
        # A forwarding that is switched on without a place names the place that is missing.
        assert list(refusal.fields) in ([camel(field)], [camel(field).replace("Enabled", "Destination")])
        assert all(refusal.fields.values())
        assert _columns(service.get(boss, row_id)) == before
        return
    except Conflict as refusal:
        assert (field, refusal.field, value.strip(" ")) == ("number", "number", "202")
        return
    kept = STORED.get(field, lambda row: getattr(row, field))(row)
    if field not in ("language", "email") and not field.endswith("destination"):
        assert (kept or "") == (value.strip() if isinstance(value, str) else value or "")
    assert [piece.text for piece in pieces(read(db.session())) if "[202]" in piece.text] == others
    assert all("\n[evil" not in piece.text for piece in pieces(read(db.session())))
    service.update(boss, row_id, {k: before[k] for k in ("number", "status")})


def stored(boss: Actor) -> Extension:
    """The phone that is attacked; 202 stands beside it."""
    if not service.used_numbers():
        service.create_many(boss, [{"number": n, "display_name": f"Phone {n}"} for n in ("201", "202")])
    return next(row for row in listing.everything() if row.number != "202")


def _columns(row: Extension) -> dict[str, Any]:
    return {c.key: getattr(row, c.key) for c in row.__table__.columns if c.key not in ("updated_at", "sip_password")}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING)
def test_a_password_is_refused_or_works(house: Flask, boss: Actor, value: Any) -> None:
    row = stored(boss)
    try:
        changed = service.update(boss, row.id, {"sip_password": value})
    except Invalid as refusal:
        assert list(refusal.fields) == ["sipPassword"]
        return
    assert changed.sip_password == value
