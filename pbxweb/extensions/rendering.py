"""From the table to what ``conf.py`` renders. One bare query: 500 phones must cost next to nothing."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from pbxweb.extensions.conf import ExtensionConf
from pbxweb.extensions.models import Extension, Status

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

COLUMNS = (
    Extension.number,
    Extension.display_name,
    Extension.sip_digest,
    Extension.codecs,
    Extension.transport,
    Extension.max_contacts,
    Extension.max_concurrent_calls,
    Extension.ring_seconds,
    Extension.forward_on_no_answer_enabled,
    Extension.forward_on_no_answer_timeout,
    Extension.language,
    Extension.pickup_group,
    Extension.status,
)


@lru_cache(maxsize=8192)
def _conf(row: tuple[Any, ...]) -> ExtensionConf:
    number, name, digest, codecs, transport, contacts, calls, ring, forwards, later, language, group, status = row
    return ExtensionConf(
        number=number,
        display_name=name,
        digest=digest,
        codecs=tuple(codecs.split(",")),
        transport=transport,
        max_contacts=contacts,
        max_calls=calls,
        ring_seconds=later if forwards else ring,
        language=language,
        pickup_group=group,
        enabled=status == Status.ACTIVE,
    )


def conf_of(row: Extension) -> ExtensionConf:
    """One row, as it stands in memory. Raises ConfValueError that names the field."""
    return _conf(tuple(getattr(row, column.key) for column in COLUMNS))


@cache
def _query() -> str:
    columns = ", ".join(f'"{column.key}"' for column in COLUMNS)
    return f'SELECT {columns} FROM "{Extension.__tablename__}" ORDER BY "number"'  # noqa: S608 - names of our own table


def read(session: Session) -> tuple[ExtensionConf, ...]:
    """All phones in the order of their numbers, for the applier. Equal rows give the same objects."""
    cursor = session.connection().connection.cursor()
    cursor.execute(_query())
    rows = cursor.fetchall()
    cursor.close()
    return tuple(map(_conf, rows))
