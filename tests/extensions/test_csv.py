"""Import and export of phones as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxweb.extensions import csvfile, listing, service, transfer
from pbxweb.extensions.models import CODECS
from pbxweb.security.errors import Forbidden, Invalid
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db

LENIENT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=19).filter(str.strip)


@given(cell=st.text())
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    guarded = csvfile.guarded(cell)
    assert guarded[:1] not in list(csvfile.LEADS)
    assert csvfile.unguarded(guarded) == cell


@LENIENT
@given(data=st.data())
def test_what_was_exported_imports_as_the_same(house: Flask, boss: Actor, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(2000, 9999).map(str), min_size=1, max_size=4, unique=True))
    phones = [
        {
            "number": number,
            "display_name": data.draw(NAMES),
            "email": data.draw(st.sampled_from(["", "a@example.com"])),
            "codec_preferences": data.draw(st.permutations(CODECS)),
            "dnd_enabled": data.draw(st.booleans()),
            "ring_seconds": data.draw(st.integers(5, 300)),
            "pickup_group": data.draw(st.sampled_from(["", "-1", "house"])),
            "forward_on_busy_destination": data.draw(st.sampled_from([None, *(n for n in numbers if n != number)])),
        }
        for number in numbers
    ]
    service.create_many(boss, phones)
    for delimiter in ",;":
        exported = transfer.csv_export(boss, delimiter)
        plan = transfer.csv_plan(boss, exported)
        assert {line.action for line in plan.lines} == {"same"}
    before = [[column.of(row) for column in csvfile.COLUMNS] for row in listing.everything()]
    service.delete_many(boss, [row.id for row in listing.everything()])
    assert len(transfer.csv_import(boss, transfer.csv_plan(boss, exported))) == len(numbers)
    assert [[column.of(row) for column in csvfile.COLUMNS] for row in listing.everything()] == before
    assert transfer.csv_export(boss, ";") == exported
    service.delete_many(boss, [row.id for row in listing.everything()])
    db.session.remove()


def test_a_formula_in_a_name_is_neutralised(house: Flask, boss: Actor) -> None:
    service.create(boss, {"number": "201", "display_name": '=HYPERLINK("http://evil")'})
    rows = list(csv.reader(io.StringIO(transfer.csv_export(boss).decode("utf-8-sig"))))
    assert rows[1][1] == '\'=HYPERLINK("http://evil")'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_reads_what_spreadsheets_write(house: Flask, boss: Actor, encoding: str, delimiter: str) -> None:
    text = "number,displayName,dndEnabled\r\n201,Jürgen Groß,ja\r\n\r\n202,Zoë,no\r\n".replace(",", delimiter)
    made = transfer.csv_import(boss, transfer.csv_plan(boss, text.encode(encoding)))
    assert sorted(new.extension.display_name for new in made) == ["Jürgen Groß", "Zoë"]
    assert all(len(new.password) >= 16 for new in made)


def test_a_wrong_line_is_named_and_nothing_is_imported(house: Flask, boss: Actor) -> None:
    service.create(boss, {"number": "201", "display_name": "Anna"})
    text = (
        "number,displayName,ringSeconds,owner,forwardOnBusyDestination\n"
        "201,Anna New,,,202\n"
        "202,Bert,20,,\n"
        '"7",Short,soon,,\n'
        "202,Twice,20,,\n"
        "203,Nobody's,20,nobody@example.com,999999\n"
    )
    plan = transfer.csv_plan(boss, text.encode())
    assert [(line.line, line.action) for line in plan.lines] == [
        (2, "change"), (3, "create"), (4, "error"), (5, "error"), (6, "error"),
    ]  # fmt: skip
    assert [{column for column, _text in line.errors} for line in plan.lines[2:]] == [
        {"number", "ringSeconds"}, {"number"}, {"owner", "forwardOnBusyDestination"},
    ]  # fmt: skip
    assert [(d.column, d.before, d.after) for d in plan.lines[0].differences] == [
        ("displayName", "Anna", "Anna New"), ("forwardOnBusyDestination", "", "202"),
    ]  # fmt: skip
    with pytest.raises(Invalid):
        transfer.csv_import(boss, plan)
    assert service.used_numbers() == {"201"}
    good = "".join(line for line in text.splitlines(keepends=True)[:3])
    transfer.csv_import(boss, transfer.csv_plan(boss, good.encode()))
    row = service.by_number("201")
    assert row
    assert (row.display_name, row.forward_on_busy_destination) == ("Anna New", "extension:202")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81\x8d",
        b"number\n",
        b"name\n201\n",
        b"displayName\nAnna\n",
        b'number\n"20',
        b"number,email\n201,,x\n",
        b"number,number\n1,2\n",
    ],
)
def test_it_says_what_is_wrong_with_a_file(house: Flask, boss: Actor, data: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        transfer.csv_plan(boss, data)
    assert set(refusal.value.fields) == {"file"}


def test_only_administrators_import_and_export(house: Flask, anna: Actor) -> None:
    with pytest.raises(Forbidden):
        transfer.csv_export(anna)
    with pytest.raises(Forbidden):
        transfer.csv_plan(anna, b"number\n201\n")
