"""The first run: a one-time code, the first administrator, where the house stands, the first phones.

The code lies in a 0600 file of the secrets folder until there is an administrator; then it is deleted. Everything that
was done so far is in the database, so the first run can be interrupted and resumed.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app
from flask_babel import gettext
from sqlalchemy import func, select

from pbxweb.extensions import service as phones
from pbxweb.extensions.models import Extension
from pbxweb.security.errors import Conflict, Forbidden, Invalid
from pbxweb.security.roles import Actor, Role
from pbxweb.storage.database import db, utcnow
from pbxweb.storage.files import private_folder, write_atomic
from pbxweb.system import house
from pbxweb.users import rules
from pbxweb.users.models import User
from pbxweb.users.service import create_user

if TYPE_CHECKING:
    from flask import Flask

FILE = "setup-code"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
MOST_PHONES = 50
# The sheet with the passwords of the first phones stays open so long if nobody says that it was read.
SHEET_HOURS = 24
_one_at_a_time = threading.Lock()


class Step(StrEnum):
    """Where the first run stands. ``CODE`` covers code, language and administrator: nothing is stored before."""

    CODE = "code"
    PLACE = "place"
    PHONES = "phones"
    SHEET = "sheet"
    DONE = "done"


@dataclass(frozen=True)
class FirstRun:
    """What the first run made."""

    user: User
    phones: list[phones.NewPhone]


def _file(app: Flask) -> Path:
    return Path(app.extensions["pbxweb.settings"].secrets) / FILE


def has_people() -> bool:
    """Is there anybody who can sign in? Once there is, that is remembered."""
    known: dict[str, Any] = current_app.extensions.setdefault("pbxweb.system.people", {})
    if not known.get("any"):
        known["any"] = db.session.scalar(select(User.id).limit(1)) is not None
    return bool(known["any"])


def setup_code(app: Flask) -> str | None:
    """The code that the wizard asks for, made at the first call; None when there is an administrator already.

    Needs an application context.
    """
    if has_people():
        _file(app).unlink(missing_ok=True)
        return None
    path = _file(app)
    with _one_at_a_time:
        if not path.exists():
            code = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(2))
            private_folder(path.parent)
            write_atomic(path, code.encode())
        return path.read_text().strip()


def is_code(given: str) -> bool:
    """Is ``given`` the code of this device? Blanks, dashes and small letters do not matter."""
    code = setup_code(current_app._get_current_object())  # type: ignore[attr-defined]
    return code is not None and hmac.compare_digest(_plain(code), _plain(given))


def _plain(code: str) -> bytes:
    return "".join(c for c in code.upper() if c.isalnum()).encode()


def demand_new() -> None:
    """Raise Conflict when somebody can sign in already."""
    if has_people():
        raise Conflict(gettext("This device is set up already. Sign in instead."))


def demand_code(given: str) -> None:
    """Raise Forbidden unless ``given`` is this device's code, and Conflict when the first run is over."""
    demand_new()
    if not is_code(given):
        raise Forbidden(gettext("This is not the code of this device. It was printed where pbxweb was started."))


def step() -> Step:
    """Where the first run stands."""
    if not has_people():
        return Step.CODE
    decisions = house.house()
    if decisions.setup:
        return Step.DONE
    if not decisions.country:
        return Step.PLACE
    first = db.session.scalar(select(func.min(Extension.created_at)))
    if first is None:
        return Step.PHONES
    made = first if isinstance(first, datetime) else datetime.fromisoformat(str(first)).replace(tzinfo=UTC)
    return Step.SHEET if utcnow() - made < timedelta(hours=SHEET_HOURS) else Step.DONE


def make_administrator(code: str, given: Mapping[str, str], address: str = "") -> User:
    """Make the first administrator from ``email password first_name last_name language``; the code is used up.

    Raises Forbidden (wrong code), Conflict (there is one already), Invalid.
    """
    demand_code(code)
    actor = Actor(gettext("First run"), Role.ADMIN, None, "page", address)
    with _one_at_a_time:
        db.session.rollback()
        if db.session.scalar(select(User.id).limit(1)) is not None:
            raise Conflict(gettext("This device is set up already. Sign in instead."))
        user = create_user(
            actor,
            email=given.get("email", ""),
            role=Role.ADMIN.value,
            password=given.get("password", ""),
            first_name=given.get("first_name", ""),
            last_name=given.get("last_name", ""),
            language=given.get("language", ""),
        )
    _file(current_app._get_current_object()).unlink(missing_ok=True)  # type: ignore[attr-defined]
    return user


def make_phones(actor: Actor, count: int) -> list[phones.NewPhone]:
    """Make the first phones, numbered as the plan says. Raises Invalid, Forbidden, Conflict (there are some)."""
    _check_count(count)
    if db.session.scalar(select(Extension.id).limit(1)) is not None:
        raise Conflict(gettext("The first phones are there already."))
    return phones.create_first_phones(actor, count, house.house().digits)


def _check_count(count: Any) -> None:
    if not isinstance(count, int) or not 1 <= count <= MOST_PHONES:
        raise Invalid({"phones": gettext("Write a number from 1 to %(most)d.", most=MOST_PHONES)})


def finish(actor: Actor) -> None:
    """The first run is over; the wizard is not seen again. Raises Forbidden."""
    from pbxweb.security.guard import demand

    demand(actor, "system.settings")
    house.keep(actor, "setup.finish", {"setup": utcnow().isoformat(timespec="seconds")})


def set_up(code: str, given: Mapping[str, Any], address: str = "") -> FirstRun:
    """The whole first run at once, for scripts. In: what ``make_administrator`` and ``house.decide`` take, ``phones``.

    Everything is checked before anything is made. Raises Forbidden, Conflict, Invalid.
    """
    demand_code(code)
    places = {name: given[name] for name in ("language", "country", "area_code", "digits") if name in given}
    _check_all(given, places)
    user = make_administrator(code, given, address)
    actor = Actor(user.name, Role.ADMIN, user.id, "api", address)
    house.decide(actor, places)
    made = make_phones(actor, int(given["phones"])) if given.get("phones") else []
    finish(actor)
    return FirstRun(user, made)


def _check_all(given: Mapping[str, Any], places: Mapping[str, Any]) -> None:
    wrong: dict[str, str] = {}
    person = {name: str(given.get(name, "")) for name in ("email", "first_name", "last_name")}
    for check in (
        lambda: house.cleaned(places),
        lambda: rules.cleaned(person),
        lambda: rules.check_password(str(given.get("password", "")), **person),
        lambda: _check_count(given["phones"]) if given.get("phones") else None,
    ):
        try:
            check()
        except Invalid as error:
            wrong |= error.fields
    if wrong:
        raise Invalid(wrong)


def announce(app: Flask) -> str | None:
    """The line that the start prints while nobody has set this device up."""
    code = setup_code(app)
    return f"Set-up code: {code}  (open the page above and enter it)" if code else None
