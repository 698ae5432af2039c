"""The forms of the calls room: the history's filter, and a number to call."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional

from pbxweb.calls.history import Filter
from pbxweb.calls.shown import DIRECTIONS, DISPOSITIONS
from pbxweb.calls.statistics import midnight
from pbxweb.web.forms import LongSelect, Plain, strip


class FilterForm(FlaskForm):  # type: ignore[misc]
    """What the history shall show. It is sent by GET, so it needs no token."""

    class Meta:
        csrf = False

    search = StringField(
        _("Number or name"), filters=[strip], validators=[Optional(), Plain(80)], render_kw={"type": "search"}
    )
    since = DateField(_("From"), validators=[Optional()])
    until = DateField(_("Until"), validators=[Optional()])
    extension = StringField(
        _("Phone"), filters=[strip], validators=[Optional(), Plain(8)], render_kw={"inputmode": "numeric"}
    )
    direction = SelectField(
        _("Direction"),
        validators=[Optional()],
        choices=[SelectChoice("", _("All directions")), *(SelectChoice(k, v[0]) for k, v in DIRECTIONS.items())],
    )
    disposition = SelectField(
        _("Outcome"),
        validators=[Optional()],
        choices=[SelectChoice("", _("Every outcome")), *(SelectChoice(k, v[0]) for k, v in DISPOSITIONS.items())],
    )

    def wanted(self, zone: tzinfo) -> Filter:
        """The filter that the form says; a field that is not valid is left open. Days are those of ``zone``."""
        good = {name: field.data for name, field in self._fields.items() if field.data and not field.errors}
        until: datetime | None = None
        if "until" in good:
            until = midnight(good["until"] + timedelta(days=1), zone)
        return Filter(
            start=midnight(good["since"], zone) if "since" in good else None,
            end=until,
            extension=good.get("extension", ""),
            search=good.get("search", ""),
            directions=(good["direction"],) if "direction" in good else (),
            dispositions=(good["disposition"],) if "disposition" in good else (),
        )

    def chosen(self) -> dict[str, str]:
        """The fields that say something, for links that keep them."""
        return {name: str(field.data) for name, field in self._fields.items() if field.data and not field.errors}


class DialForm(FlaskForm):  # type: ignore[misc]
    """Call a number from a phone."""

    source = SelectField(_("From phone"), widget=LongSelect())
    target = StringField(
        _("Number to call"),
        filters=[strip],
        validators=[InputRequired(_("Enter the number to call.")), Plain(60)],
        render_kw={"type": "tel", "autocomplete": "off"},
    )
