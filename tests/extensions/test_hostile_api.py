"""Hostile text in every text that the API lets somebody set: refused by its name or kept; no other line changes.

The fields come from ``openapi.json``, so a new one is tried without being listed here.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ApiClient, Person

HOSTILE = (
    "two\nlines", "a\r\nAction: Command\r\n\r\n", "\n[evil]\ntype=endpoint", "\nexten => _X.,1,System(id)", "a;b",
    ";--", "]", "[x](!)", "#include /etc/passwd", "#exec id", "${SHELL(touch pwned)}", "$[1+1]", "=>", "+=", 'quo"te',
    "it's", "back\\slash\\", "\0", "\x1b[2J", "\u2028", "\u202eRTL مرحبا", "\U0001f600\u200d\U0001f467", "x" * 10_000,
    " ", "", "<script>alert(1)</script>", "{{ 7*7 }}", "%(name)s %s {number}", "201,202", "extension:",
    "\ud800", "\uff12\uff10", "a@b;c.de", "de\n", "1;drop", "../../etc", "Europe/../Berlin", "-1", "true", "null",
)  # fmt: skip
TEXT = st.one_of(st.text(max_size=50), st.lists(st.sampled_from(HOSTILE[:20]), max_size=3).map("".join))
HIDDEN = "***hidden***"
RESOURCES = ("/users/{user_id}", "/extensions/{extension_id}", "/system/settings")


def _texts(app: Flask) -> dict[str, list[str]]:
    """The texts that a PATCH of each resource takes."""
    document = app.test_client().get("/api/v1/openapi.json").json
    assert document is not None
    schemas = document["components"]["schemas"]
    found = {}
    for path in RESOURCES:
        body = document["paths"][f"/api/v1{path}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
        properties = schemas[body["$ref"].rsplit("/", 1)[1]]["properties"]
        found[path] = [name for name, one in properties.items() if one.get("type") == "string"]
    return found


@pytest.fixture
def house(app: Flask, api: Callable[..., ApiClient], admin: Person, person: Callable[..., Person]) -> Iterator[Any]:
    """Somebody who may do everything, and the paths of a person, a phone (with a neighbour) and the settings."""
    boss = api(of=admin)
    made = [boss.post("/extensions", {"number": number, "displayName": number}).json for number in ("201", "202")]
    assert all(made)
    yield (
        boss,
        dict(
            zip(RESOURCES, (f"/users/{person('user').id}", f"/extensions/{made[0]['id']}", RESOURCES[2]), strict=True)
        ),
    )


def _files(folder: Path) -> dict[str, list[str]]:
    """What Asterisk reads, without the number of the revision and its marker."""
    return {
        path.name: [line for line in path.read_text().splitlines() if "revision" not in line]
        for path in sorted(folder.iterdir())
    }


def _changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    assert set(before) == set(after)
    return [
        line
        for name in before
        for line in difflib.unified_diff(before[name], after[name], n=0, lineterm="")
        if line[0] in "+-" and not line.startswith(("+++", "---"))
    ]


def _try(boss: ApiClient, path: str, field: str, value: str, folder: Path) -> None:
    before, stored = _files(folder), boss.get(path).json
    answer = boss.patch(path, {field: value})
    shown, after = boss.get(path).json, _files(folder)
    assert stored is not None
    assert shown is not None
    if answer.status_code != 200:
        assert answer.status_code in (400, 409), (answer.status_code, answer.text)
        assert answer.json is not None
        named = [error["field"] for error in answer.json["errors"]]
        assert any(name.split(".")[0][:12] == field[:12] for name in named), answer.json
        assert {**shown, "updatedAt": 0} == {**stored, "updatedAt": 0}
        assert after == before
        return
    if shown.get(field, HIDDEN) != HIDDEN:
        kept = {value, value.strip(), value.strip().casefold(), value.strip(" ") or None}
        kept |= {re.sub(r"\D", "", value)} if field == "areaCode" else set()
        kept |= {f"extension:{value.strip()}", f"{stored.get(field)}" if not value.strip() else value}
        assert shown[field] in kept, (value, shown[field])
    changed = _changed(before, after)
    assert not [line for line in changed if line[1:].lstrip().startswith(("[evil", "#", "exten => _", "Action"))]
    assert not [line for line in changed if "202" in line and "202" not in f"{value}{stored}"]


@pytest.mark.parametrize("path", RESOURCES)
def test_hostile_text_is_refused_by_name_or_kept_as_it_is(house: Any, app: Flask, path: str) -> None:
    boss, paths = house
    home = app.extensions["pbxweb.settings"].home
    for field in _texts(app)[path]:
        for value in HOSTILE:
            _try(boss, paths[path], field, value, home / "asterisk" / "etc")
    assert not list(home.rglob("pwned"))


@pytest.mark.parametrize("path", RESOURCES)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_text_is_refused_by_name_or_kept_as_it_is(house: Any, app: Flask, path: str, data: st.DataObject) -> None:
    boss, paths = house
    field, value = data.draw(st.sampled_from(_texts(app)[path])), data.draw(TEXT)
    folder = app.extensions["pbxweb.settings"].asterisk_etc
    _try(boss, paths[path], field, value, folder)


@pytest.mark.parametrize(
    "path",
    ["/users?search=", "/extensions?search=", "/extensions?sort=", "/extensions?owner=", "/calls/history?search=",
     "/calls/history?extension=", "/calls/history?cursor=", "/calls/history?from=", "/calls/history.csv?search=",
     "/calls?extension=", "/system/audit?search=", "/system/audit?action=", "/system/audit?before="],
)  # fmt: skip
def test_hostile_text_in_a_question_is_answered(house: Any, path: str) -> None:
    boss, _paths = house
    name, _, _rest = path.partition("=")
    for value in HOSTILE:
        if value == "\ud800":
            continue
        question, _, key = name.partition("?")
        answer = boss.get(question, query_string={key: value[:3000]})
        answer.close()
        assert answer.status_code in (200, 400), (value, answer.status_code)
        if answer.status_code == 400:
            assert key in json.dumps(answer.json["errors"] if answer.json else "")
