"""A phone's password: shown again, or made anew."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import undefer

from pbxweb.changes import changing
from pbxweb.extensions.conf import digest_of
from pbxweb.extensions.models import Extension
from pbxweb.extensions.rules import clean
from pbxweb.security.errors import Forbidden, NotFound
from pbxweb.security.guard import demand
from pbxweb.security.roles import Actor
from pbxweb.storage.database import db
from pbxweb.storage.secrets import generate_password
from pbxweb.users.accounts import confirm_password


def _one(actor: Actor, extension_id: str) -> Extension:
    query = select(Extension).where(Extension.id == extension_id).options(undefer(Extension.sip_password))
    row = db.session.scalar(query)
    if row is None:
        raise NotFound(_("There is no such phone (any more)."))
    demand(actor, "extensions.password", row.user_id)
    return row


def reveal_password(actor: Actor, extension_id: str, own_password: str) -> str:
    """The phone's password, for somebody who has just proved to be ``actor`` with the account's own password.

    It is noted in the audit trail. Raises NotFound, Forbidden, Invalid for ``accountPassword``.
    """
    _one(actor, extension_id)
    if actor.user_id is None:
        raise Forbidden(_("Sign in as a person to see a phone's password."))
    confirm_password(actor.user_id, own_password, "accountPassword")
    with changing(actor, "extension.password.show") as change:
        row = _one(actor, extension_id)
        change.subject = f"extension {row.number}"
        change.details["shown"] = True
        password = row.sip_password
    return password  # noqa: RET504 - only what is committed in the trail is shown


def new_password(actor: Actor, extension_id: str, password: str = "") -> str:
    """Give the phone another password (generated when empty); its devices must sign in anew with it.

    Out: the password. Raises NotFound, Forbidden, Invalid for ``sipPassword``.
    """
    password = clean({"sip_password": password or generate_password()})["sip_password"]
    with changing(actor, "extension.password.new") as change:
        row = _one(actor, extension_id)
        change.subject = f"extension {row.number}"
        row.sip_password = password
        row.sip_digest = digest_of(row.number, password)
    return password
