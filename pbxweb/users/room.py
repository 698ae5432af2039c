"""What the users room offers: people, sign-in, own profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext

from pbxweb.room import MenuItem, Room

if TYPE_CHECKING:
    from flask import Blueprint, Flask


def _views() -> Sequence[Blueprint]:
    from pbxweb.users.account_views import account
    from pbxweb.users.views import people

    return (people, account)


def _api() -> Sequence[Any]:
    from pbxweb.users.api import users
    from pbxweb.users.auth_api import auth

    return (auth, users)


def _init_app(app: Flask) -> None:
    from pbxweb.users import visitors

    visitors.init_app(app)


room = Room(
    name="users",
    views=_views,
    api=_api,
    menu=(MenuItem("people.index", lazy_gettext("People"), "users", "users.list", 70),),
    init_app=_init_app,
)
