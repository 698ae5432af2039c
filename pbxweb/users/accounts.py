"""One's own account: signing in and out, the password, the one-time link, where one is signed in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flask import current_app
from flask_babel import gettext
from sqlalchemy import select, update

from pbxweb.changes import changing
from pbxweb.security import audit, passwords, sessions, tokens
from pbxweb.security.errors import Forbidden, Invalid, NotFound, SignInFailed
from pbxweb.security.roles import Actor, Role
from pbxweb.security.sessions import Opened, SignIn
from pbxweb.security.throttle import Throttle
from pbxweb.security.tokens import Pair
from pbxweb.settings import Settings
from pbxweb.storage.database import begin_write, db, new_id, utcnow
from pbxweb.users import rules
from pbxweb.users.models import Status, User, normal_email


@dataclass(frozen=True)
class Caller:
    """Where an attempt to sign in comes from. ``address`` is what limits count, ``ip`` what is shown to people.

    ``known_as`` are the ids of the people who have signed in from this browser before.
    """

    via: str
    address: str
    ip: str
    client: str = ""
    known_as: Collection[str] = ()


def authenticate(email: str, password: str, caller: Caller) -> User:
    """The person with this e-mail address and password.

    Raises SignInFailed (the same for an unknown address and a wrong password, after the same time), Forbidden for
    a suspended or inactive account, TooMany after many failures, Unavailable when too many others are signing in.
    """
    throttle: Throttle = current_app.extensions["pbxweb.throttle"]
    account = normal_email(email)[:254]
    user = db.session.scalar(select(User).where(User.email == account, User.deleted_at.is_(None)))
    known = user is not None and (user.id in caller.known_as or sessions.familiar(user.id, caller.ip))
    if user is not None:
        db.session.expunge(user)
    db.session.rollback()  # no transaction stays open while bcrypt works
    if not known:
        throttle.check(account, caller.address)
    matches = passwords.verify_password(password[: passwords.MAX_LENGTH], user.password_hash if user else None)
    if user is None or not matches:
        throttle.failed(account, caller.address)
        _note_failure(user, caller)
        raise SignInFailed(gettext("The e-mail address or the password is wrong."))
    throttle.succeeded(account, caller.address)
    if user.status != Status.ACTIVE:
        raise Forbidden(gettext("This account is switched off. Ask your administrator."))
    return user


def open_page(user: User, password: str, caller: Caller) -> Opened:
    """Sign ``user`` in on a browser whose ``password`` was just found right. Out: what its cookie must say."""
    hashed = _rehashed(user, password)
    settings: Settings = current_app.extensions["pbxweb.settings"]
    begin_write()
    opened = sessions.open_page(user.id, settings, caller.ip, caller.client)
    _note_success(user, hashed, caller)
    db.session.commit()
    return opened


def open_api(user: User, password: str, caller: Caller) -> Pair:
    """Sign ``user`` in as an API client. Out: its first tokens."""
    hashed = _rehashed(user, password)
    sign_in_id = new_id()
    pair = tokens.issue(user.id, sign_in_id)
    begin_write()
    sessions.open_api(user.id, pair.refresh_hash, address=caller.ip, client=caller.client, row_id=sign_in_id)
    _note_success(user, hashed, caller)
    db.session.commit()
    return pair


def refresh(refresh_token: str, caller: Caller) -> Pair:
    """The next pair of tokens for a refresh token, which is used up by that.

    Raises SignInFailed when it is not good. A token that was used before ends the whole sign-in: somebody copied it.
    """
    claims = tokens.read(refresh_token, "refresh")
    pair = tokens.issue(claims.user_id, claims.sign_in_id)
    begin_write()
    user = db.session.get(User, claims.user_id)
    allowed = user is not None and user.status == Status.ACTIVE and user.deleted_at is None
    if (
        user is not None
        and allowed
        and sessions.rotate(claims.sign_in_id, sessions.digest(refresh_token), pair.refresh_hash)
    ):
        db.session.commit()
        return pair
    if db.session.get(SignIn, claims.sign_in_id) is not None:
        sessions.end(claims.sign_in_id)
        audit.record(_actor(user, caller), "session.reuse", user.email if user else "")
    db.session.commit()
    raise SignInFailed(gettext("This token is not valid or no longer valid. Please sign in again."))


def sign_out(actor: Actor, sign_in_id: str) -> None:
    """End one sign-in of ``actor``: a browser's, or an API client's with all of its tokens. Raises NotFound."""
    begin_write()
    row = db.session.get(SignIn, sign_in_id)
    if row is None or row.user_id != actor.user_id:
        db.session.rollback()
        raise NotFound(gettext("This browser is already signed out."))
    sessions.end(sign_in_id)
    audit.record(actor, "session.end", actor.name)
    db.session.commit()


def sign_out_everywhere(actor: Actor, user_id: str, keep: str | None = None) -> int:
    """End all sign-ins of a person, except ``keep``. Out: how many ended. Raises Forbidden for somebody else's."""
    if user_id != actor.user_id and actor.role is not Role.ADMIN:
        raise Forbidden(gettext("Your role does not allow this."))
    with changing(actor, "session.end_all") as change:
        user = db.session.get(User, user_id)
        if user is None or user.deleted_at is not None:
            raise NotFound(gettext("There is no such person (any more)."))
        change.subject = user.email
        ended = sessions.end_all(user_id, keep)
        change.details["signed_out"] = ended
    return ended


def confirm_password(user_id: str, password: str, field: str = "password") -> None:
    """Raise Invalid for ``field`` unless ``password`` is the password of ``user_id`` (before something delicate)."""
    hashed = db.session.scalar(select(User.password_hash).where(User.id == user_id))
    db.session.rollback()
    if not passwords.verify_password(password[: passwords.MAX_LENGTH], hashed):
        raise Invalid({field: gettext("This is not your current password.")})


def change_password(actor: Actor, user_id: str, old: str, new: str, keep: str | None = None) -> None:
    """Change one's own password; every other sign-in ends, ``keep`` stays. Raises Invalid, Forbidden."""
    if user_id != actor.user_id:
        raise Forbidden(gettext("Your role does not allow this."))
    confirm_password(user_id, old, "currentPassword")
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound(gettext("There is no such person (any more)."))
    known = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    db.session.rollback()
    rules.check_password(new, **known, field="newPassword")
    hashed = passwords.hash_password(new)
    with changing(actor, "user.password") as change:
        user = db.session.get_one(User, user_id)
        change.subject = user.email
        user.password_hash = hashed
        change.details["signed_out"] = sessions.end_all(user_id, keep)


def invited(token: str) -> User:
    """The person whom a one-time link is for. Raises NotFound when it was used, replaced or is too old."""
    query = select(User).where(User.invitation_hash == sessions.digest(token), User.deleted_at.is_(None))
    user = db.session.scalar(query)
    too_old = user is None or user.invitation_expires_at is None or user.invitation_expires_at < utcnow()
    if user is None or too_old or user.status not in (Status.INVITED, Status.ACTIVE):
        raise NotFound(gettext("This link has been used or is too old. Ask your administrator for a new one."))
    return user


def accept_invitation(token: str, password: str, caller: Caller) -> User:
    """Choose the password with a one-time link, which is used up by that. Raises NotFound, Invalid."""
    user = invited(token)
    known = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
    actor = _actor(user, caller)
    db.session.rollback()
    rules.check_password(password, **known)
    hashed = passwords.hash_password(password)
    with changing(actor, "user.accept", known["email"]):
        user = invited(token)
        user.password_hash, user.status = hashed, Status.ACTIVE
        user.invitation_hash = user.invitation_expires_at = None
        sessions.end_all(user.id)
    return user


def _actor(user: User | None, caller: Caller) -> Actor:
    if user is None:
        return Actor(gettext("unknown"), Role.USER, None, caller.via, caller.ip)
    return Actor(user.name, Role(user.role), user.id, caller.via, caller.ip)


def _rehashed(user: User, password: str) -> str | None:
    outdated = user.password_hash is not None and passwords.outdated(user.password_hash)
    return passwords.hash_password(password) if outdated else None


def _note_success(user: User, hashed: str | None, caller: Caller) -> None:
    values = {"last_login_at": utcnow(), "updated_at": User.updated_at}
    db.session.execute(
        update(User).where(User.id == user.id).values(values | ({"password_hash": hashed} if hashed else {}))
    )
    audit.record(_actor(user, caller), "session.begin", user.email)


def _note_failure(user: User | None, caller: Caller) -> None:
    begin_write()
    audit.record(_actor(None, caller), "session.refused", user.email if user else "")
    db.session.commit()
