"""Phones as a CSV file: what Excel and LibreOffice write and read, in German and in English. Pure.

A cell that a spreadsheet would take for a formula gets an apostrophe in front when it is written, and loses it when
it is read. The columns bear the API's names; a column that is absent leaves its field alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from pbxweb.extensions.models import FORWARDS, Extension
from pbxweb.extensions.rules import camel
from pbxweb.security.errors import Invalid

MOST_BYTES = 2 * 1024 * 1024
MOST_LINES = 2000
LEADS = "=+-@\t\r"
YES = {"yes": True, "ja": True, "true": True, "1": True, "no": False, "nein": False, "false": False, "0": False}


def _whole(cell: str) -> Any:
    return int(cell) if re.fullmatch(r"[0-9]{1,6}", cell) else cell


def _flag(cell: str) -> Any:
    return YES.get(cell.lower(), cell)


def _words(cell: str) -> Any:
    return [word for word in re.split(r"[\s,;|]+", cell) if word]


def _text(cell: str) -> Any:
    return cell


@dataclass(frozen=True)
class Column:
    """One column: the service's field, how a cell becomes its value, and whether an empty cell empties it."""

    field: str
    parse: Callable[[str], Any] = _text
    clears: bool = False

    @property
    def name(self) -> str:
        """The heading."""
        return "owner" if self.field == "user_id" else camel(self.field)

    def of(self, row: Extension) -> str:
        """The cell for a row."""
        value = getattr(row, self.field)
        if self.field == "user_id":
            return row.user.email if row.user else ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return " ".join(value) if isinstance(value, list) else "" if value is None else str(value)


COLUMNS = (
    Column("number"),
    Column("display_name"),
    Column("user_id", clears=True),
    Column("email", clears=True),
    Column("status"),
    Column("language"),
    Column("transport"),
    Column("codec_preferences", _words),
    Column("max_concurrent_calls", _whole),
    Column("max_contacts", _whole),
    Column("ring_seconds", _whole),
    Column("pickup_group", clears=True),
    Column("presence_status"),
    Column("dnd_enabled", _flag),
    *(
        column
        for when in FORWARDS
        for column in (
            Column(f"forward_{when}_enabled", _flag),
            Column(f"forward_{when}_destination", clears=True),
        )
    ),
    Column("forward_on_no_answer_timeout", _whole),
)
# Read, but never written.
PASSWORD = Column("sip_password")
_BY_NAME = {column.name.lower(): column for column in (*COLUMNS, PASSWORD)}


@dataclass(frozen=True)
class Line:
    """One phone of a file: the number of its (first) line, and the given fields as the service takes them.

    ``user_id`` holds the owner's e-mail address here.
    """

    line: int
    given: dict[str, Any]


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] and cell[0] in LEADS + "'" else cell


def unguarded(cell: str) -> str:
    """The cell that ``guarded`` was given."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in LEADS + "'" else cell


def write(rows: Iterable[Extension], delimiter: str = ",") -> bytes:
    """The file of ``rows`` (with their owners loaded), in UTF-8 with the mark that Excel needs. No passwords."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([column.name for column in COLUMNS])
    writer.writerows([guarded(column.of(row)) for column in COLUMNS] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8 (with or without mark) or Windows' Western encoding. Raises Invalid."""
    if len(data) > MOST_BYTES:
        raise Invalid({"file": _("This file is too large. Split it into files of up to 2 MB.")})
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid({"file": _("This is not a CSV file. Save it as “CSV UTF-8” in your spreadsheet program.")})


def read(data: bytes) -> list[Line]:
    """The phones of a file, separated by ``;``, ``,`` or tabs. Raises Invalid for ``file`` when it cannot be read.

    What stands in a cell is not judged here.
    """
    text = decoded(data)
    head = text.partition("\n")[0]
    delimiter = max(";,\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(reader, []))
        lines = list(_lines(reader, columns))
    except csv.Error as error:
        text = _("Line %(line)d cannot be read: a quotation mark is missing or too many.", line=reader.line_num)
        raise Invalid({"file": text}) from error
    if not lines:
        raise Invalid({"file": _("There is no phone in this file.")})
    if len(lines) > MOST_LINES:
        raise Invalid({"file": _("Import at most %(num)d phones at once.", num=MOST_LINES)})
    return lines


def _columns(heads: list[str]) -> list[Column]:
    columns = []
    for head in heads:
        column = _BY_NAME.get(head.strip().lower())
        if column is None:
            known = ", ".join(column.name for column in COLUMNS)
            text = _("There is no column “%(name)s”. Known columns: %(known)s.", name=head.strip()[:40], known=known)
            raise Invalid({"file": text})
        if column in columns:
            raise Invalid({"file": _("The column “%(name)s” is there twice.", name=column.name)})
        columns.append(column)
    if COLUMNS[0] not in columns:
        raise Invalid({"file": _("The first line has to name the columns, at least “number”.")})
    return columns


def _lines(reader: Any, columns: list[Column]) -> Iterator[Line]:
    before = reader.line_num
    for cells in reader:
        first, before = before + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            text = _("Line %(line)d has more cells than there are columns.", line=first)
            raise Invalid({"file": text})
        given: dict[str, Any] = {}
        for column, cell in zip(columns, cells, strict=False):
            value = unguarded(cell.strip(" "))
            if value or column.clears:
                given[column.field] = column.parse(value)
        given.setdefault("number", "")
        yield Line(first, given)
