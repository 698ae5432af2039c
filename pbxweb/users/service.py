"""The verbs on people: make, invite, change, suspend, delete, find. Signing in is in ``accounts.py``."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext
from sqlalchemy import func, or_, select, update

from pbxweb.changes import changing
from pbxweb.security import passwords, sessions
from pbxweb.security.errors import Conflict, Forbidden, Invalid, NotFound
from pbxweb.security.guard import demand, own_only
from pbxweb.security.roles import Actor, Role, Scope
from pbxweb.storage.database import begin_write, db, utcnow
from pbxweb.users import rules
from pbxweb.users.links import links
from pbxweb.users.models import Status, User, normal_email

INVITATION_DAYS = 7
OFFICIAL = frozenset({"role", "status"})


@dataclass(frozen=True)
class Link:
    """A one-time link's secret (shown once, never stored) and how long it is good."""

    token: str
    expires_at: datetime


@dataclass(frozen=True)
class Found:
    """A page of people and how many there are in all."""

    users: list[User]
    total: int


def create_user(
    actor: Actor,
    *,
    email: str,
    role: str,
    password: str,
    first_name: str = "",
    last_name: str = "",
    language: str = "",
    timezone: str = "",
) -> User:
    """Add a person who can sign in at once with ``password``.

    ``language`` is ``de`` or ``en`` (empty: as the browser says), ``timezone`` an IANA name (empty: the device's).
    Raises Invalid, Conflict for a known e-mail address, Forbidden.
    """
    demand(actor, "users.create")
    clean = rules.cleaned(_given(email, role, (first_name, last_name), language, timezone))
    rules.check_password(password, email=clean["email"], first_name=clean["first_name"], last_name=clean["last_name"])
    hashed = passwords.hash_password(password)
    with changing(actor, "user.create", clean["email"]):
        _refuse_known(clean["email"])
        user = User(**clean, password_hash=hashed, status=Status.ACTIVE)
        db.session.add(user)
    return user


def invite_user(
    actor: Actor,
    *,
    email: str,
    role: str,
    first_name: str = "",
    last_name: str = "",
    language: str = "",
    timezone: str = "",
) -> tuple[User, Link]:
    """Add a person who chooses the password with a one-time link. Raises Invalid, Conflict, Forbidden."""
    demand(actor, "users.create")
    clean = rules.cleaned(_given(email, role, (first_name, last_name), language, timezone))
    with changing(actor, "user.invite", clean["email"]):
        _refuse_known(clean["email"])
        user = User(**clean, status=Status.INVITED)
        link = _new_link(user)
        db.session.add(user)
    return user, link


def new_link(actor: Actor, user_id: str) -> tuple[User, Link]:
    """A fresh one-time link: the old password and all sign-ins end at once. Raises NotFound, Forbidden, Conflict."""
    demand(actor, "users.update")
    _demand_all(actor)
    if user_id == actor.user_id:
        raise Conflict(gettext("Change your own password in your profile instead."))
    with changing(actor, "user.link") as change:
        user = _live(user_id)
        change.subject = user.email
        if user.status in (Status.INACTIVE, Status.SUSPENDED):
            raise Conflict(gettext("This person may not sign in. Set the status to active first."))
        user.password_hash = None
        link = _new_link(user)
        sessions.end_all(user.id)
    return user, link


def update_user(actor: Actor, user_id: str, values: Mapping[str, Any]) -> User:
    """Change a person.

    In: any of ``email first_name last_name language timezone``, for administrators also ``role status password``.

    Raises NotFound, Forbidden (others' data; one's own role and status), Invalid, Conflict (e-mail address; the last
    administrator).
    """
    demand(actor, "users.update", user_id)
    everything = actor.scope("users.update") is Scope.ALL
    password = values.get("password")
    if not everything and OFFICIAL & set(values):
        raise Forbidden(gettext("Only an administrator can change the role or the status."))
    if password is not None and (not everything or user_id == actor.user_id):
        raise Invalid({"password": gettext("Change your own password in your profile; it asks for the old one.")})
    clean = rules.cleaned({name: value for name, value in values.items() if name != "password"})
    hashed = _hashed_for(user_id, clean, password)
    with changing(actor, "user.update") as change:
        user = _live(user_id)
        change.subject = user.email
        if clean.get("email", user.email) != user.email:
            _refuse_known(clean["email"])
        _keep_an_admin(actor, user, clean)
        if clean.get("status") in (Status.ACTIVE, Status.INVITED):
            clean["status"] = Status.ACTIVE if user.password_hash or hashed else Status.INVITED
        for name, value in clean.items():
            setattr(user, name, value)
        if hashed:
            user.password_hash, user.invitation_hash = hashed, None
            user.status = Status.ACTIVE if user.status == Status.INVITED else user.status
        if hashed or user.status != Status.ACTIVE:
            change.details["signed_out"] = sessions.end_all(user.id)
    return user


def delete_user(actor: Actor, user_id: str) -> None:
    """Delete a person: signed out everywhere, gone from every list, kept by name in the history.

    Raises NotFound, Forbidden, Conflict for oneself and for the last administrator.
    """
    demand(actor, "users.delete")
    if user_id == actor.user_id:
        raise Conflict(gettext("You cannot delete yourself. Another administrator can."))
    with changing(actor, "user.delete") as change:
        user = _live(user_id)
        change.subject = user.email
        _refuse_last_admin(user)
        user.deleted_at = utcnow()
        user.password_hash = user.invitation_hash = None
        sessions.end_all(user.id)
        for hook in links().on_delete:
            hook(user.id)


def get_user(actor: Actor, user_id: str) -> User:
    """One person. Raises NotFound, Forbidden for somebody else's data."""
    demand(actor, "users.read", user_id)
    return _live(user_id)


def list_users(
    actor: Actor, *, search: str = "", role: str = "", status: str = "", page: int = 1, limit: int = 50
) -> Found:
    """People by name; ``search`` looks into names and e-mail addresses. Raises Forbidden."""
    own_only(actor, "users.list")
    query = select(User).where(User.deleted_at.is_(None))
    if role:
        query = query.where(User.role == role)
    if status:
        query = query.where(User.status == status)
    for word in search.split()[:5]:
        columns = (User.email, User.first_name, User.last_name)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    order = (func.lower(User.last_name), func.lower(User.first_name), User.email)
    found = db.session.scalars(query.order_by(*order).limit(limit).offset((page - 1) * limit))
    return Found(list(found), total)


def keep_language(actor: Actor, language: str) -> None:
    """Remember the language that ``actor`` has chosen on a page. In: ``de`` or ``en``."""
    if actor.user_id is None:
        return
    begin_write()
    db.session.execute(update(User).where(User.id == actor.user_id).values(language=language))
    db.session.commit()


def _given(email: str, role: str, name: tuple[str, str], language: str, timezone: str) -> dict[str, str]:
    names = {"first_name": name[0], "last_name": name[1]}
    return {"email": email, "role": role, **names, "language": language, "timezone": timezone}


def _demand_all(actor: Actor) -> None:
    if actor.scope("users.update") is not Scope.ALL:
        raise Forbidden(gettext("Your role does not allow this."))


def _live(user_id: str) -> User:
    user = db.session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound(gettext("There is no such person (any more)."))
    return user


def _refuse_known(email: str) -> None:
    query = select(User.id).where(User.email == normal_email(email), User.deleted_at.is_(None))
    if db.session.scalar(query) is not None:
        raise Conflict(gettext("Somebody with this e-mail address is already here."), "email")


def _new_link(user: User) -> Link:
    link = Link(secrets.token_urlsafe(24), utcnow() + timedelta(days=INVITATION_DAYS))
    user.invitation_hash, user.invitation_expires_at = sessions.digest(link.token), link.expires_at
    return link


def _hashed_for(user_id: str, clean: Mapping[str, str], password: str | None) -> str | None:
    if password is None:
        return None
    user = _live(user_id)
    known = {name: clean.get(name, getattr(user, name)) for name in ("email", "first_name", "last_name")}
    db.session.rollback()
    rules.check_password(password, **known)
    return passwords.hash_password(password)


def _admins(besides: str = "") -> int:
    query = select(func.count(User.id)).where(
        User.role == Role.ADMIN,
        User.status == Status.ACTIVE,
        User.deleted_at.is_(None),
        User.password_hash.is_not(None),
        User.id != besides,
    )
    return db.session.scalar(query) or 0


def _refuse_last_admin(user: User) -> None:
    if user.role == Role.ADMIN and user.status == Status.ACTIVE and not _admins(besides=user.id):
        raise Conflict(gettext("This is the last administrator. Make somebody else an administrator first."))


def _keep_an_admin(actor: Actor, user: User, clean: Mapping[str, str]) -> None:
    role, status = clean.get("role", user.role), clean.get("status", user.status)
    if role == user.role and status == user.status:
        return
    if user.id == actor.user_id:
        raise Conflict(gettext("You cannot change your own role or status. Another administrator can."))
    if role != Role.ADMIN or status != Status.ACTIVE:
        _refuse_last_admin(user)
