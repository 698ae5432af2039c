"""The pages about people, for those who look after them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from pbxweb.api.paging import page_of
from pbxweb.security import sessions
from pbxweb.security.errors import Conflict, Invalid
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor
from pbxweb.users import accounts, rules, service
from pbxweb.users.forms import ROLES, STATES, NewPersonForm, OfficialForm, PeopleQuery
from pbxweb.users.models import User
from pbxweb.users.shown import client_name, phones_of
from pbxweb.web.pages import done, invalid, page, take_refusal

people = Blueprint("people", __name__, url_prefix="/people")
PER_PAGE = 50


def _words() -> dict[str, Any]:
    return {"roles": ROLES, "states": STATES, "timezones": rules.timezones()}


@people.get("")
@requires("users.list")
def index() -> Response:
    """All people, with search and filters."""
    form = PeopleQuery(request.args)
    number = request.args.get("page", 1, type=int)
    number = min(max(number, 1), 100_000)
    chosen = {
        "search": (form.search.data or "")[:200],
        "role": form.role.data if form.role.data in set(ROLES) else "",
        "status": form.status.data if form.status.data in set(STATES) else "",
    }
    found = service.list_users(actor(), **chosen, page=number, limit=PER_PAGE)
    listed = page_of(found.users, found.total, number, PER_PAGE)
    context = {"form": form, "users": found.users, "phones": phones_of(found.users), "meta": listed["meta"]}
    return page(
        "users/index.html",
        part="users/_table.html",
        **context,
        **_words(),
        chosen={k: v for k, v in chosen.items() if v},
    )


@people.route("/new", methods=["GET", "POST"])
@requires("users.create")
def create() -> Response:
    """Add somebody, with a one-time link or a first password."""
    form = NewPersonForm()
    if not form.is_submitted():
        return page("users/new.html", form=form, **_words())
    if form.validate():
        data = {name: form[name].data for name in ("email", "role", "first_name", "last_name", "language", "timezone")}
        try:
            if form.invite.data == "link":
                return _show_link(*service.invite_user(actor(), **data), invited=True)
            user = service.create_user(actor(), **data, password=form.password.data or "")
            from flask_babel import gettext

            return done(gettext("%(name)s can sign in now.", name=user.name), url_for("people.index"))
        except (Invalid, Conflict) as refusal:
            take_refusal(form, refusal)
    return invalid("users/new.html", form=form, **_words())


@people.route("/<uuid:user_id>", methods=["GET", "POST"])
@requires("users.create")
def edit(user_id: UUID) -> Response:
    """Change somebody."""
    user = service.get_user(actor(), str(user_id))
    stored = {name: getattr(user, name) for name in rules.CHECKS} | {"language": user.language[:2]}
    form = OfficialForm(data=stored)
    if form.is_submitted():
        if form.validate():
            try:
                data = {name: form[name].data for name in form.merge(stored) if form[name].data != stored[name]}
                user = service.update_user(actor(), str(user_id), data)
                from flask_babel import gettext

                return done(gettext("%(name)s is saved.", name=user.name), url_for("people.index"))
            except (Invalid, Conflict) as refusal:
                take_refusal(form, refusal)
        return invalid("users/edit.html", **_of(user_id, form))
    form.show(stored)
    return page("users/edit.html", **_of(user_id, form))


def _of(user_id: UUID, form: OfficialForm) -> dict[str, Any]:
    user = service.get_user(actor(), str(user_id))
    return {
        "form": form,
        "user": user,
        "phones": phones_of([user]).get(user.id, ()),
        "sign_ins": sessions.of_user(user.id),
        "client_name": client_name,
        "own": user.id == actor().user_id,
        **_words(),
    }


@people.post("/<uuid:user_id>/link")
@requires("users.create")
def link(user_id: UUID) -> Response:
    """Make a new one-time link; the old password ends."""
    return _show_link(*service.new_link(actor(), str(user_id)), invited=False)


def _show_link(user: User, made: service.Link, *, invited: bool) -> Response:
    url = url_for("users.invitation", token=made.token, _external=True)
    return page("users/link.html", user=user, url=url, expires_at=made.expires_at, invited=invited)


@people.post("/<uuid:user_id>/sign-out")
@requires("users.create")
def sign_out(user_id: UUID) -> Response:
    """Sign somebody out everywhere."""
    from flask_babel import ngettext

    ended = accounts.sign_out_everywhere(actor(), str(user_id))
    return done(
        ngettext("%(num)d sign-in ended.", "%(num)d sign-ins ended.", ended), url_for("people.edit", user_id=user_id)
    )


@people.post("/<uuid:user_id>/delete")
@requires("users.delete")
def delete(user_id: UUID) -> Response:
    """Delete somebody."""
    from flask_babel import gettext

    service.delete_user(actor(), str(user_id))
    return done(gettext("The person is deleted and signed out everywhere."), url_for("people.index"))
