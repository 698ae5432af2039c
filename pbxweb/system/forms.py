"""The forms of the first run and of the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import IntegerField, PasswordField, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange

from pbxweb.security.passwords import MAX_LENGTH
from pbxweb.system import house
from pbxweb.system.conf import TONE_ZONES
from pbxweb.system.setup import MOST_PHONES
from pbxweb.web.forms import Plain, strip
from pbxweb.web.languages import LANGUAGES, language

NEEDED = InputRequired(_("Please fill this in."))
PLANS = [
    SelectChoice("2", _("Two digits: 21, 22, 23 … for up to 80 phones")),
    SelectChoice("3", _("Three digits: 201, 202, 203 … for most places")),
    SelectChoice("4", _("Four digits: 2001, 2002, 2003 … for large houses")),
]


def _choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    return [SelectChoice(*pair) for pair in pairs]


def _countries() -> list[SelectChoice]:
    return _choices([("", ""), *house.countries(language())])


def _zones() -> list[SelectChoice]:
    names = {code.lower(): name.rpartition(" (")[0] for code, name in house.countries(language())}
    named = [(zone, names.get("gb" if zone == "uk" else zone, zone)) for zone in TONE_ZONES]
    return _choices(sorted(named, key=lambda pair: pair[1]))


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The one-time code."""

    code = StringField(
        _("Set-up code"),
        [NEEDED, Plain(40)],
        filters=[strip],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"},
    )


class LanguageForm(FlaskForm):  # type: ignore[misc]
    """The language of pages and announcements."""

    language = RadioField(_("Language"), choices=_choices(LANGUAGES.items()))


class AdministratorForm(FlaskForm):  # type: ignore[misc]
    """The first administrator."""

    first_name = StringField(_("First name"), [Plain(100)], filters=[strip], render_kw={"autocomplete": "given-name"})
    last_name = StringField(_("Last name"), [Plain(100)], filters=[strip], render_kw={"autocomplete": "family-name"})
    email = StringField(
        _("E-mail address"),
        [NEEDED, Plain(254)],
        filters=[strip],
        render_kw={"type": "email", "autocomplete": "username", "inputmode": "email"},
    )
    password = PasswordField(_("Password"), [NEEDED, Plain(MAX_LENGTH)], render_kw={"autocomplete": "new-password"})


class PlaceForm(FlaskForm):  # type: ignore[misc]
    """Where the house stands and how long its numbers are."""

    country = SelectField(_("Country"), [NEEDED], choices=_countries)
    area_code = StringField(
        _("Area code"), [Plain(20)], filters=[strip], render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )
    digits = RadioField(_("Number plan"), choices=PLANS, default="3")


class PhonesForm(FlaskForm):  # type: ignore[misc]
    """How many phones to begin with."""

    count = IntegerField(
        _("How many phones?"),
        [NEEDED, NumberRange(1, MOST_PHONES, _("Write a number from 1 to %(max)s."))],
        default=3,
        render_kw={"inputmode": "numeric", "min": 1, "max": MOST_PHONES},
    )


class SettingsForm(PlaceForm):
    """All decisions."""

    language = SelectField(_("Language of announcements"), choices=_choices(LANGUAGES.items()))
    tone_zone = SelectField(_("Dial and busy tones of"), choices=_zones)


def filled(form_class: type[FlaskForm], values: Any) -> Any:
    """A form that shows ``values`` (a dataclass's fields by name)."""
    data = {name: str(value) if name == "digits" else value for name, value in house.shown(values).items()}
    return form_class(formdata=None, data=data)
