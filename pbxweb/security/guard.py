"""The gate of every route: ``@requires("extensions.read")`` or ``@public``.

A route without one of the two is refused when the application is made, so no route can be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pbxweb.security.errors import Forbidden
from pbxweb.security.roles import PERMISSIONS, Actor, Scope

if TYPE_CHECKING:
    from flask import Flask

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
_MARK = "__pbxweb_access__"


def requires(permission: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a view or an API method: only a signed-in actor whose role holds ``permission`` gets in.

    A scope of OWN lets the actor in; the service then checks the owner. Raises KeyError at import time of the
    room for an unknown permission.
    """
    PERMISSIONS[permission]

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            from pbxweb.security.identity import current_actor, unauthenticated

            actor = current_actor()
            if actor is None:
                return unauthenticated()  # type: ignore[no-any-return]
            if actor.scope(permission) is None:
                from flask_babel import gettext

                raise Forbidden(gettext("Your role does not allow this."))
            return view(*args, **kwargs)

        setattr(guarded, _MARK, permission)
        return guarded

    return decorate


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Decorate a view or an API method that anybody may call."""
    setattr(view, _MARK, PUBLIC)
    return view


def access_of(view: Any, method: str) -> str | None:
    """The permission (or ``"public"``) that guards ``view`` for ``method``; None when it was forgotten."""
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        view = getattr(view_class, method.lower(), view)
    return getattr(view, _MARK, None)


def demand(actor: Actor, permission: str, owner_id: str | None = None) -> None:
    """Raise Forbidden unless ``actor`` may use ``permission`` on a thing of ``owner_id``."""
    if not actor.may(permission, owner_id):
        from flask_babel import gettext

        raise Forbidden(gettext("Your role does not allow this."))


def own_only(actor: Actor, permission: str) -> str | None:
    """The user id to which a list must be narrowed for ``actor``; None means everything. Raises Forbidden."""
    scope = actor.scope(permission)
    if scope is None:
        demand(actor, permission)
    return actor.user_id if scope is Scope.OWN else None


def refuse_unguarded(app: Flask) -> None:
    """Raise RuntimeError when a route of ``app`` names no access."""
    forgotten = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if access_of(app.view_functions[rule.endpoint], method) is None
    ]
    if forgotten:
        raise RuntimeError(f"routes without @requires or @public: {', '.join(forgotten)}")
