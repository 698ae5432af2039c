"""What can be done to calls: begin one with a click, end one."""

from __future__ import annotations

import contextlib
import re
import uuid

from flask_babel import gettext
from sqlalchemy import false, func, select

from pbxweb.asterisk.ami import AmiError, AmiFailed
from pbxweb.calls.fold import CLICK
from pbxweb.calls.live import LiveCall, live_call, runtime
from pbxweb.extensions.models import Extension, Status
from pbxweb.security import audit
from pbxweb.security.errors import Conflict, Forbidden, Invalid, Unavailable
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor, Scope
from pbxweb.storage.database import begin_write, db

# A little longer than the dialplan's own ring time in pbxweb-click.
RING_SECONDS = 35
# What people put between digits.
GROUPING = re.compile(r"[\s\-/().]")
DIALLABLE = re.compile(r"\+?[0-9*#]{1,32}")


def phones_of(actor: Actor) -> list[tuple[str, str]]:
    """Number and name of the phones from which ``actor`` may begin a call, the own ones first."""
    mine = Extension.user_id == actor.user_id
    statement = (
        select(Extension.number, Extension.display_name)
        .where(Extension.status == Status.ACTIVE)
        .order_by(func.coalesce(mine, false()).desc(), Extension.number)
    )
    if actor.scope("calls.originate") is not Scope.ALL:
        statement = statement.where(mine)
    return [(number, name) for number, name in db.session.execute(statement)]


def own_phone(actor: Actor) -> str:
    """The number of the first phone of ``actor``'s own. Raises Invalid (``from``) where there is none."""
    statement = select(Extension.number).where(
        Extension.status == Status.ACTIVE, Extension.user_id == actor.user_id, Extension.user_id.is_not(None)
    )
    number = db.session.scalar(statement.order_by(Extension.number).limit(1))
    if number is None or actor.scope("calls.originate") is None:
        raise Invalid({"from": gettext("You have no phone of your own. Say which phone shall ring.")})
    return number


def diallable(text: str) -> str:
    """What a person typed as a phone would dial it. Raises Invalid at ``to``."""
    number = GROUPING.sub("", text)
    if not DIALLABLE.fullmatch(number):
        raise Invalid({"to": gettext("Enter a number: digits, * and #, and a + in front if you like.")})
    return number


def originate(actor: Actor, source: str, target: str) -> str:
    """Ring every device of the phone ``source``; the first that is answered calls ``target``.

    In: a phone's number, its own or (admin) anybody's; what shall be dialled. Out: the call's id, known at once.
    Raises Invalid (``from``, ``to``), Forbidden, Conflict (the phone is not signed in, or it is somebody else's and
    not to be disturbed), Unavailable.
    """
    phone = db.session.scalar(select(Extension).where(Extension.number == source))
    if not actor.may("calls.originate", phone.user_id if phone else None):
        raise Forbidden(gettext("You can only call from a phone of your own."))
    if phone is None or not phone.active:
        raise Invalid({"from": gettext("There is no phone with this number, or it is switched off.")})
    number = diallable(target)
    if number == source:
        raise Invalid({"to": gettext("A phone cannot call itself.")})
    beside = runtime()
    if not any(contact.online for contact in beside.feed.snapshot().contacts_of(source)):
        raise Conflict(gettext("Phone %(number)s is not signed in, so it cannot ring.", number=source), field="from")
    if phone.dnd_enabled and phone.user_id != actor.user_id:
        raise Conflict(gettext("Phone %(number)s is set to do not disturb.", number=source), field="from")
    name = db.session.scalar(select(Extension.display_name).where(Extension.number == number)) or ""
    key = str(uuid.uuid4())
    variables = {
        "PBXWEB_CLICK": source,
        "CALLERID(num)": source,
        "CALLERID(name)": phone.display_name,
        "CONNECTEDLINE(num)": number,
        "CONNECTEDLINE(name)": name,
    }
    try:
        beside.link.originate(
            f"Local/{number}@{CLICK}",
            application="Hangup",
            variables=variables,
            ring_seconds=RING_SECONDS,
            channel_id=key,
        )
    except AmiError as error:
        raise _away(error) from error
    _record(actor, "call.originate", f"{source} → {number}", key)
    return key


def hangup(actor: Actor, key: str) -> None:
    """End the call under way with this id. Raises NotFound, Forbidden, Unavailable; one that just ended is no error."""
    call = controlled(actor, key, "calls.hangup")
    try:
        for leg in call.call.legs:
            with contextlib.suppress(AmiFailed):
                runtime().link.hangup(leg.name)
    except AmiError as error:
        raise _away(error) from error
    _record(actor, "call.hangup", f"{call.caller_number} → {call.called_number}", call.id)


def controlled(actor: Actor, key: str, permission: str) -> LiveCall:
    """The call under way that ``actor`` may act upon (any, or one of the own phone). Raises NotFound, Forbidden."""
    call = live_call(actor, key)
    if not call.may_hang_up:
        demand(actor, permission)
    return call


def _away(error: AmiError) -> Unavailable:
    refusal = Unavailable(gettext("Asterisk does not answer right now. Nothing was changed; try again in a moment."))
    refusal.add_note(str(error))
    return refusal


def _record(actor: Actor, action: str, subject: str, key: str) -> None:
    begin_write()
    audit.record(actor, action, subject, {"call": key})
    db.session.commit()
