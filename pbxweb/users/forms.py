"""The forms of people, sign-in and profile."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from pbxweb.security.passwords import MAX_LENGTH
from pbxweb.security.roles import Role
from pbxweb.users.models import Status
from pbxweb.web.forms import Plain, SharedForm, strip
from pbxweb.web.languages import LANGUAGES

ROLES = {
    Role.ADMIN: (_("Administrator"), _("sets everything up")),
    Role.SUPERVISOR: (_("Supervisor"), _("sees all calls and reports")),
    Role.AGENT: (_("Agent"), _("takes calls, sees the own ones")),
    Role.USER: (_("User"), _("has a phone")),
}
STATES = {
    Status.INVITED: (_("Invited"), "blue"),
    Status.ACTIVE: (_("Active"), "green"),
    Status.INACTIVE: (_("Inactive"), "gray"),
    Status.SUSPENDED: (_("Suspended"), "red"),
}
NEEDED = InputRequired(_("Please fill this in."))


def _languages() -> list[SelectChoice]:
    return [SelectChoice("", _("As the browser says")), *(SelectChoice(*item) for item in LANGUAGES.items())]


def _password(label: Any, autocomplete: str) -> Any:
    return PasswordField(label, [Plain(MAX_LENGTH)], render_kw={"autocomplete": autocomplete})


class Base(FlaskForm):  # type: ignore[misc]
    """A form that cuts the outer blanks off what people type, passwords excepted."""

    class Meta:
        def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
            """Add the filter to every text field."""
            if unbound_field.field_class is StringField:
                options["filters"] = [*options.get("filters", ()), strip]
            return unbound_field.bind(form=form, **options)


class SignInForm(Base):
    """E-mail address and password."""

    email = StringField(
        _("E-mail address"),
        [NEEDED, Plain(254)],
        render_kw={"type": "email", "autocomplete": "username", "inputmode": "email"},
    )
    password = PasswordField(_("Password"), [NEEDED, Plain(MAX_LENGTH)], render_kw={"autocomplete": "current-password"})
    next = HiddenField()


class PersonForm(Base):
    """What everybody may change about themselves."""

    first_name = StringField(_("First name"), [Plain(100)], render_kw={"autocomplete": "off"})
    last_name = StringField(_("Last name"), [Plain(100)], render_kw={"autocomplete": "off"})
    email = StringField(_("E-mail address"), [NEEDED, Plain(254)], render_kw={"type": "email", "autocomplete": "off"})
    language = SelectField(_("Language"), choices=_languages, default="")
    timezone = StringField(_("Time zone"), [Plain(64)], render_kw={"list": "timezones", "autocomplete": "off"})


class OfficialForm(PersonForm, SharedForm):
    """What an administrator may change about somebody."""

    role = RadioField(
        _("Role"),
        choices=[SelectChoice(r.value, label) for r, (label, _about) in ROLES.items()],
        default=Role.USER.value,
    )
    status = SelectField(_("Status"), choices=[SelectChoice(s.value, label) for s, (label, _color) in STATES.items()])


class NewPersonForm(PersonForm):
    """A new person: with a one-time link, or with a first password."""

    role = OfficialForm.role
    invite = RadioField(
        _("First sign-in"),
        choices=[
            SelectChoice("link", _("With a one-time link: the person chooses the password (recommended)")),
            SelectChoice("password", _("With a password that I choose now")),
        ],
        default="link",
    )
    password = _password(_("Password"), "new-password")


class NewPasswordForm(Base):
    """The password that comes with a one-time link."""

    password = PasswordField(_("Password"), [NEEDED, Plain(MAX_LENGTH)], render_kw={"autocomplete": "new-password"})


class ChangePasswordForm(Base):
    """The old and the new password."""

    current_password = PasswordField(
        _("Your password now"), [NEEDED, Plain(MAX_LENGTH)], render_kw={"autocomplete": "current-password"}
    )
    new_password = PasswordField(
        _("New password"), [NEEDED, Plain(MAX_LENGTH)], render_kw={"autocomplete": "new-password"}
    )


class PeopleQuery(FlaskForm):  # type: ignore[misc]
    """The search above the list."""

    class Meta:
        csrf = False

    search = StringField(
        _("Search"), filters=[strip], render_kw={"type": "search", "placeholder": _("Name or e-mail address")}
    )
    role = SelectField(
        _("Role"), choices=[SelectChoice("", _("All roles")), *(SelectChoice(r.value, v[0]) for r, v in ROLES.items())]
    )
    status = SelectField(
        _("Status"),
        choices=[SelectChoice("", _("Every status")), *(SelectChoice(s.value, v[0]) for s, v in STATES.items())],
    )
