"""Who gets in where: every route, every role, one table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import IntegerConverter, Rule

from pbxweb.extensions.models import Extension
from pbxweb.security.guard import PUBLIC, access_of
from pbxweb.security.roles import PERMISSIONS, Role, Scope
from pbxweb.storage.database import db
from tests.conftest import ApiClient, Person, csrf_token

NOBODY = "00000000-0000-4000-8000-000000000000"

# What each role may do, as the specification gives the rights: * everything, o only one's own, - nothing.
#                            admin supervisor agent user
RIGHTS = """
    dashboard.read            *        *        *    *
    profile.read              *        *        *    *
    profile.update            *        *        *    *
    users.list                *        *        -    -
    users.read                *        *        o    o
    users.create              *        -        -    -
    users.update              *        o        o    o
    users.delete              *        -        -    -
    extensions.list           *        *        *    *
    extensions.read           *        *        o    o
    extensions.create         *        -        -    -
    extensions.update         *        o        o    o
    extensions.delete         *        -        -    -
    extensions.password       *        o        o    o
    extensions.registrations  *        *        o    o
    calls.live                *        *        o    o
    calls.history             *        *        o    o
    calls.statistics          *        *        o    o
    calls.originate           *        o        o    o
    calls.hangup              *        *        o    o
    system.stats              *        -        -    -
    system.settings           *        -        -    -
    system.revisions          *        -        -    -
    system.audit              *        -        -    -
"""

# What each route asks for.
ROUTES = {
    "public": """
        POST /api/v1/auth/login
        POST /api/v1/auth/refresh
        GET /api/v1/docs
        GET /api/v1/events
        GET /api/v1/openapi.json
        POST /api/v1/setup
        GET /api/v1/system/status
        POST /confirm
        GET /favicon.ico
        GET /invitation/<token>
        POST /invitation/<token>
        POST /language
        GET /login
        POST /login
        GET /phones/setup/<token>.xml
        GET /setup/
        GET /setup/account
        POST /setup/account
        GET /setup/code
        POST /setup/code
        GET /setup/language
        POST /setup/language
        GET /static/<path:path>
        POST /theme
        GET /ws
    """,
    "calls.hangup": """
        POST /api/v1/calls/<uuid:call_id>/hangup
        PUT /api/v1/calls/<uuid:call_id>/hangup
        POST /calls/<uuid:call_id>/hangup
    """,
    "calls.history": """
        GET /api/v1/calls/<uuid:call_id>
        GET /api/v1/calls/history
        GET /api/v1/calls/history.csv
        GET /calls/history
        GET /calls/history.csv
    """,
    "calls.live": """
        GET /api/v1/calls
        GET /api/v1/calls/active
        GET /calls
    """,
    "calls.originate": """
        POST /api/v1/calls
        POST /api/v1/calls/originate
        POST /calls/originate
    """,
    "calls.statistics": """
        GET /api/v1/calls/statistics
        GET /api/v1/stats/calls
        GET /calls/statistics
    """,
    "dashboard.read": """
        GET /
        GET /api/v1/stats/dashboard
    """,
    "extensions.create": """
        POST /api/v1/extensions
        POST /api/v1/extensions/bulk
        GET /phones/export.csv
        GET /phones/import
        POST /phones/import
        POST /phones/import/go
        GET /phones/new
        POST /phones/new
        GET /phones/ready
        GET /phones/several
        POST /phones/several
    """,
    "extensions.delete": """
        DELETE /api/v1/extensions/<uuid:extension_id>
        POST /api/v1/extensions/bulk-delete
        POST /phones/<uuid:extension_id>/delete
        POST /phones/delete
    """,
    "extensions.list": """
        GET /api/v1/extensions
        GET /phones
    """,
    "extensions.password": """
        POST /api/v1/extensions/<uuid:extension_id>/password
        POST /phones/<uuid:extension_id>/new-password
        POST /phones/<uuid:extension_id>/password
    """,
    "extensions.read": """
        GET /api/v1/extensions/<uuid:extension_id>
        GET /api/v1/extensions/<uuid:extension_id>/status
        GET /phones/<uuid:extension_id>
    """,
    "extensions.registrations": """
        GET /api/v1/extensions/<uuid:extension_id>/registrations
    """,
    "extensions.update": """
        PATCH /api/v1/extensions
        PATCH /api/v1/extensions/<uuid:extension_id>
        PUT /api/v1/extensions/<uuid:extension_id>
        POST /phones/<uuid:extension_id>/dnd
        GET /phones/<uuid:extension_id>/edit
        POST /phones/<uuid:extension_id>/edit
    """,
    "profile.read": """
        POST /api/v1/auth/logout
        GET /api/v1/auth/me
        GET /api/v1/auth/profile
        POST /logout
        GET /profile
    """,
    "profile.update": """
        POST /api/v1/auth/password
        POST /profile
        POST /profile/password
        POST /profile/sign-out
        POST /profile/sign-out/<uuid:sign_in_id>
    """,
    "system.audit": """
        GET /api/v1/system/audit
        GET /api/v1/system/audit/<int:number>
        GET /system/audit
        GET /system/audit/<int:number>
    """,
    "system.revisions": """
        GET /api/v1/system/revisions
        GET /api/v1/system/revisions/<int:number>
        POST /api/v1/system/revisions/<int:number>/undo
        GET /system/changes
        GET /system/changes/<int:number>
        GET /system/changes/<int:number>.diff
        POST /system/changes/<int:number>/undo
    """,
    "system.settings": """
        GET /api/v1/system/settings
        PATCH /api/v1/system/settings
        POST /setup/finish
        GET /setup/phones
        POST /setup/phones
        GET /setup/place
        POST /setup/place
        GET /setup/sheet
        GET /system/settings
        POST /system/settings
    """,
    "system.stats": """
        GET /api/v1/system/stats
        GET /system
    """,
    "users.create": """
        POST /api/v1/users
        POST /api/v1/users/<uuid:user_id>/invitation
        GET /people/<uuid:user_id>
        POST /people/<uuid:user_id>
        POST /people/<uuid:user_id>/link
        POST /people/<uuid:user_id>/sign-out
        GET /people/new
        POST /people/new
    """,
    "users.delete": """
        DELETE /api/v1/users/<uuid:user_id>
        POST /people/<uuid:user_id>/delete
    """,
    "users.list": """
        GET /api/v1/users
        GET /people
    """,
    "users.read": """
        GET /api/v1/users/<uuid:user_id>
    """,
    "users.update": """
        PATCH /api/v1/users/<uuid:user_id>
        PUT /api/v1/users/<uuid:user_id>
    """,
}


SIGNS = {"*": Scope.ALL, "o": Scope.OWN}
# This ends the visit of the one who walks, so it is tried last.
LAST = "users.logout"


def _wanted() -> dict[tuple[str, str], str]:
    return {
        (method, rule): permission
        for permission, lines in ROUTES.items()
        for method, rule in (line.split() for line in lines.strip().splitlines())
    }


def _actual(app: Flask) -> dict[tuple[str, str], tuple[Rule, str | None]]:
    return {
        (method, rule.rule): (rule, access_of(app.view_functions[rule.endpoint], method))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_the_rights_are_those_of_the_specification() -> None:
    rows = [line.split() for line in RIGHTS.strip().splitlines()]
    wanted = {name: {r: SIGNS[s] for r, s in zip(Role, signs, strict=True) if s in SIGNS} for name, *signs in rows}
    assert wanted == PERMISSIONS


def test_every_route_asks_for_what_the_table_says(app: Flask) -> None:
    actual = {key: access for key, (_, access) in _actual(app).items()}
    assert actual == _wanted()


def _url(app: Flask, rule: Rule) -> str:
    values = {n: 1 if isinstance(rule._converters[n], IntegerConverter) else NOBODY for n in rule.arguments}
    return str(app.url_map.bind("localhost").build(rule.endpoint, values))


def _ordered(app: Flask) -> list[tuple[str, str, str]]:
    """Every route as (method, URL, permission), the one that ends the visit last."""
    found = sorted(_actual(app).items(), key=lambda item: (item[1][0].endpoint == LAST, item[0]))
    return [(method, _url(app, rule), str(access)) for (method, _), (rule, access) in found if not rule.websocket]


def _ask(client: FlaskClient, program: ApiClient, method: str, url: str, token: str) -> int:
    if url.startswith("/api/"):
        body = None if method in ("GET", "DELETE") else {}
        return program.call(method, url.removeprefix("/api/v1"), body).status_code
    return client.open(url, method=method, data=None if method == "GET" else {"csrf_token": token}).status_code


@pytest.mark.parametrize("role", list(Role))
def test_every_route_lets_in_whom_the_table_names_and_nobody_else(
    app: Flask,
    client: FlaskClient,
    person: Callable[..., Person],
    sign_in: Callable[..., None],
    api: Callable[..., ApiClient],
    admin: Person,
    role: Role,
) -> None:
    someone = person(role.value)
    sign_in(client, someone)
    token = csrf_token(client)
    wrong = []
    for method, url, access in _ordered(app):
        status = _ask(client, api(of=someone), method, url, token)
        scope = Scope.ALL if access == PUBLIC else PERMISSIONS[access].get(role)
        if scope is None:
            fine = status == 403
        elif scope is Scope.OWN:
            fine = status not in (401, 500) and status != 302
        else:
            fine = status not in (401, 403, 500)
        if not fine:
            wrong.append(f"{role} {method} {url} ({access}, {scope}): {status}")
    assert not wrong, "\n".join(wrong)


def test_nobody_gets_in_without_signing_in(
    app: Flask, client: FlaskClient, api: Callable[..., ApiClient], admin: Person
) -> None:
    wrong = []
    for method, url, access in _ordered(app):
        if access == PUBLIC:
            continue
        if url.startswith("/api/"):
            fine = api().call(method, url.removeprefix("/api/v1"), {}).status_code == 401
        else:
            answer = client.open(url, method=method, data={"csrf_token": csrf_token(client)})
            fine = answer.status_code == 302 and answer.location.startswith("/login")
            asked = client.open(url, method=method, headers={"HX-Request": "true", "X-CSRFToken": csrf_token(client)})
            fine = fine and asked.headers.get("HX-Redirect", "").startswith("/login")
        if not fine:
            wrong.append(f"{method} {url}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.AGENT, Role.USER])
def test_own_means_own(
    app: Flask,
    client: FlaskClient,
    person: Callable[..., Person],
    sign_in: Callable[..., None],
    api: Callable[..., ApiClient],
    admin: Person,
    role: Role,
) -> None:
    """Where a role may use only its own, another's phone and another's data are refused, the own ones are not."""
    me, other = person(role.value), person("user")
    with app.app_context():
        rows = {
            owner.id: Extension(
                number=number, display_name=number, user_id=owner.id, sip_password="x" * 16, sip_digest="0" * 32
            )
            for number, owner in (("201", me), ("202", other))
        }
        db.session.add_all(rows.values())
        db.session.commit()
        phones = {owner_id: row.id for owner_id, row in rows.items()}
    sign_in(client, me)
    token = csrf_token(client)
    for (method, path), (rule, access) in sorted(_actual(app).items()):
        if access is None or access == PUBLIC or PERMISSIONS[access].get(role) is not Scope.OWN:
            continue
        for owner, mine in ((other, False), (me, True)):
            things = {"user_id": owner.id, "extension_id": phones[owner.id]}
            if len(rule.arguments) != 1 or not rule.arguments <= set(things):
                continue
            values = {name: things[name] for name in rule.arguments}
            url = str(app.url_map.bind("localhost").build(rule.endpoint, values))
            status = _ask(client, api(of=me), method, url, token)
            assert (status not in (401, 403, 404, 500)) if mine else status in (403, 404), f"{method} {path}: {status}"
