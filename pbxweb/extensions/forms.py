"""The forms of the pages about phones. What may stand in a field is the service's matter; these only carry it."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_babel import lazy_gettext as _
from flask_babel import lazy_pgettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import (
    BooleanField,
    EmailField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange

from pbxweb.extensions.models import CODECS, FORWARDS, Presence, Status, Transport
from pbxweb.extensions.rules import RULES
from pbxweb.web.forms import LongSelect, Plain, SharedForm, strip

CODEC_NAMES = {
    "opus": _("Opus – best, for modern phones"),
    "g722": _("G.722 – HD voice"),
    "pcma": _("G.711 A-law – every phone in Europe"),
    "pcmu": _("G.711 µ-law – every phone in America"),
}
# The same without advice; names of standards, alike in every language.
CODEC_SHORT = {"opus": "Opus", "g722": "G.722", "pcma": "G.711 A-law", "pcmu": "G.711 µ-law"}
TRANSPORTS = [
    SelectChoice(Transport.ANY.value, _("Whatever the phone prefers")),
    SelectChoice(Transport.UDP.value, "UDP"),
    SelectChoice(Transport.TCP.value, "TCP"),
    SelectChoice(Transport.TLS.value, _("TLS (encrypted)")),
]
PRESENCES = [
    SelectChoice(Presence.AVAILABLE.value, _("Available")),
    SelectChoice(Presence.AWAY.value, _("Away")),
    SelectChoice(Presence.BUSY.value, lazy_pgettext("presence", "Busy")),
    SelectChoice(Presence.OFFLINE.value, _("Not here")),
]
STATES = [
    SelectChoice(Status.ACTIVE.value, _("Active")),
    SelectChoice(Status.INACTIVE.value, _("Inactive – cannot sign in and is not rung")),
]
LANGUAGES = [SelectChoice("de", "Deutsch"), SelectChoice("en", "English")]
DIGITS = {"inputmode": "numeric", "autocomplete": "off"}


def _owners(people: list[tuple[str, str]] | None) -> list[SelectChoice]:
    return [SelectChoice("", _("Nobody in particular")), *(SelectChoice(*one) for one in people or [])]


class OwnForm(SharedForm):
    """What the owner of a phone may change."""

    # What ``given`` makes of several fields.
    SOURCES: ClassVar[dict[str, set[str]]] = {"codec_preferences": {f"codec{place}" for place in (1, 2, 3, 4)}}

    dnd_enabled = BooleanField(_("Do not disturb"))
    forward_unconditional_enabled = BooleanField(_("Forward every call"))
    forward_unconditional_destination = StringField(_("Every call goes to"), [Plain(80)], [strip], render_kw=DIGITS)
    forward_on_busy_enabled = BooleanField(_("Forward when busy"))
    forward_on_busy_destination = StringField(_("When busy, calls go to"), [Plain(80)], [strip], render_kw=DIGITS)
    forward_on_no_answer_enabled = BooleanField(_("Forward when nobody answers"))
    forward_on_no_answer_destination = StringField(_("Unanswered calls go to"), [Plain(80)], [strip], render_kw=DIGITS)
    forward_on_no_answer_timeout = IntegerField(_("After this many seconds"), [NumberRange(5, 300)])
    ring_seconds = IntegerField(_("Seconds to ring"), [NumberRange(5, 300)])
    language = SelectField(_("Language of the announcements"), choices=LANGUAGES)
    email = EmailField(_("E-mail address"), [Plain(254)], [strip])
    presence_status = SelectField(_("Presence"), choices=PRESENCES)

    def given(self) -> dict[str, Any]:
        """The fields as the service takes them."""
        return {name: value for name, value in self.data.items() if name not in ("csrf_token", "seen")}

    def changed(self, row: Any) -> dict[str, Any]:
        """Those fields alone that the person changed. In: the stored phone. Raises Invalid (``merge``)."""
        mine = self.merge(filled(row))
        return {name: value for name, value in self.given().items() if self.SOURCES.get(name, {name}) & mine}


class PhoneForm(OwnForm):
    """Everything about a phone."""

    number = StringField(_("Number"), [DataRequired(), Plain(6)], [strip], render_kw=DIGITS)
    display_name = StringField(_("Name"), [DataRequired(), Plain(79)], [strip])
    user_id = SelectField(_("Belongs to"), choices=(), widget=LongSelect())
    status = SelectField(_("State"), choices=STATES)
    transport = SelectField(_("Transport"), choices=TRANSPORTS)
    max_contacts = IntegerField(_("Devices on this number"), [NumberRange(1, 20)])
    max_concurrent_calls = IntegerField(_("Calls at once"), [NumberRange(1, 100)])
    pickup_group = StringField(_("Pickup group"), [Plain(20)], [strip])
    codec1 = SelectField(_("First choice"))
    codec2 = SelectField(_("Second choice"))
    codec3 = SelectField(_("Third choice"))
    codec4 = SelectField(_("Fourth choice"))

    def __init__(self, *args: Any, people: list[tuple[str, str]] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.user_id.choices = _owners(people)
        for place, field in enumerate(self.codecs):
            none = [SelectChoice("", "–")] if place else []
            field.choices = [*none, *(SelectChoice(*item) for item in CODEC_NAMES.items())]

    @property
    def codecs(self) -> list[SelectField]:
        """The four choices in their order."""
        return [self.codec1, self.codec2, self.codec3, self.codec4]

    def given(self) -> dict[str, Any]:
        """The fields as the service takes them."""
        fields = {name: value for name, value in super().given().items() if not name.startswith("codec")}
        chosen = [field.data for field in self.codecs if field.data]
        return {**fields, "user_id": self.user_id.data or None, "codec_preferences": chosen}


def filled(row: Any) -> dict[str, Any]:
    """What the forms show for a stored phone."""
    codecs = [*row.codec_preferences, "", "", "", ""]
    shown = {name: getattr(row, name) for name in RULES if hasattr(row, name) and name != "sip_password"}
    shown |= {f"codec{place}": codecs[place - 1] for place in range(1, len(CODECS) + 1)}
    for when in FORWARDS:
        destination = row.forward(when).destination or ""
        shown[f"forward_{when}_destination"] = destination.removeprefix("extension:")
    return {**shown, "user_id": row.user_id or ""}


class NewPhoneForm(FlaskForm):  # type: ignore[misc]
    """A new phone: two fields are enough."""

    number = StringField(_("Number"), [DataRequired(), Plain(6)], [strip], render_kw=DIGITS)
    display_name = StringField(_("Name"), [DataRequired(), Plain(79)], [strip])
    user_id = SelectField(_("Belongs to"), choices=(), widget=LongSelect())
    email = EmailField(_("E-mail address"), [Plain(254)], [strip])
    sip_password = StringField(_("Password of the phone"), [Length(max=64)], render_kw={"autocomplete": "off"})
    transport = SelectField(_("Transport"), choices=TRANSPORTS, default=Transport.ANY.value)
    pickup_group = StringField(_("Pickup group"), [Plain(20)], [strip])
    language = SelectField(_("Language of the announcements"), choices=LANGUAGES)

    def __init__(self, *args: Any, people: list[tuple[str, str]] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.user_id.choices = _owners(people)

    def given(self) -> dict[str, Any]:
        """The fields as the service takes them; an empty password is generated."""
        fields = {name: value for name, value in self.data.items() if name != "csrf_token"}
        if not fields["sip_password"]:
            del fields["sip_password"]
        return {**fields, "user_id": self.user_id.data or None}


class BulkForm(FlaskForm):  # type: ignore[misc]
    """Many phones at once."""

    count = IntegerField(_("How many phones?"), [DataRequired(), NumberRange(1, 500)], default=5)
    first_number = StringField(_("First number"), [DataRequired(), Plain(6)], [strip], render_kw=DIGITS)
    name_pattern = StringField(_("Names"), [Plain(70)], [strip])
    pickup_group = StringField(_("Pickup group"), [Plain(20)], [strip])


class RevealForm(FlaskForm):  # type: ignore[misc]
    """Who wants to see a password proves who it is."""

    account_password = PasswordField(
        _("Your own password"),
        [DataRequired(), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )


class ImportForm(FlaskForm):  # type: ignore[misc]
    """A CSV file."""

    file = FileField(
        _("CSV file"), [FileRequired(_("Choose a file first."))], render_kw={"accept": ".csv,text/csv,text/plain"}
    )
