"""Who may do what: the one table that pages, API and tests share.

A permission is given to a role for ``ALL`` things or only for its ``OWN`` (own extension, own calls, own profile).
A role that is not named has no access. Rights follow the product's specification: admin everything, supervisor
watches and reports, agent handles calls, user has the basic telephone functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is here."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    USER = "user"


class Scope(StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    OWN = "own"


A, S, G, U = Role.ADMIN, Role.SUPERVISOR, Role.AGENT, Role.USER
ALL, OWN = Scope.ALL, Scope.OWN
EVERYBODY = {A: ALL, S: ALL, G: ALL, U: ALL}

PERMISSIONS: dict[str, dict[Role, Scope]] = {
    "dashboard.read": EVERYBODY,
    "profile.read": EVERYBODY,
    "profile.update": EVERYBODY,
    "users.list": {A: ALL, S: ALL},
    "users.read": {A: ALL, S: ALL, G: OWN, U: OWN},
    "users.create": {A: ALL},
    "users.update": {A: ALL, S: OWN, G: OWN, U: OWN},
    "users.delete": {A: ALL},
    "extensions.list": {A: ALL, S: ALL, G: ALL, U: ALL},
    "extensions.read": {A: ALL, S: ALL, G: OWN, U: OWN},
    "extensions.create": {A: ALL},
    "extensions.update": {A: ALL, S: OWN, G: OWN, U: OWN},
    "extensions.delete": {A: ALL},
    "extensions.password": {A: ALL, S: OWN, G: OWN, U: OWN},
    "extensions.registrations": {A: ALL, S: ALL, G: OWN, U: OWN},
    "calls.live": {A: ALL, S: ALL, G: OWN, U: OWN},
    "calls.history": {A: ALL, S: ALL, G: OWN, U: OWN},
    "calls.statistics": {A: ALL, S: ALL, G: OWN, U: OWN},
    "calls.originate": {A: ALL, S: OWN, G: OWN, U: OWN},
    "calls.hangup": {A: ALL, S: ALL, G: OWN, U: OWN},
    "system.stats": {A: ALL},
    "system.settings": {A: ALL},
    "system.revisions": {A: ALL},
    "system.audit": {A: ALL},
}


@dataclass(frozen=True)
class Actor:
    """Who does something: a person, or the device itself (``user_id`` None).

    ``via`` is ``page``, ``api``, ``cli``, ``phone`` or ``job``; ``address`` is where the request came from.
    """

    name: str
    role: Role
    user_id: str | None = None
    via: str = "page"
    address: str = ""

    def scope(self, permission: str) -> Scope | None:
        """How far this actor may use ``permission``; None is not at all. Raises KeyError for an unknown one."""
        return PERMISSIONS[permission].get(self.role)

    def may(self, permission: str, owner_id: str | None = None) -> bool:
        """May this actor do it to a thing that belongs to ``owner_id``?"""
        scope = self.scope(permission)
        return scope is Scope.ALL or (scope is Scope.OWN and owner_id is not None and owner_id == self.user_id)


def device(name: str, via: str = "job") -> Actor:
    """The device itself, for the command line, jobs and phones' feature codes."""
    return Actor(name=name, role=Role.ADMIN, via=via)
