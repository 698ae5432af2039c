"""Phones as the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from marshmallow import EXCLUDE, Schema, fields, pre_load, validate

from pbxweb.api.fields import Instant, Text
from pbxweb.api.paging import Camel, PageQuery, paged
from pbxweb.extensions.listing import NOBODY, ORDERS
from pbxweb.extensions.models import CODECS, FORWARDS, ExtensionType, Presence, Status, Transport
from pbxweb.extensions.rules import camel
from pbxweb.extensions.shown import HIDDEN
from pbxweb.security.errors import Invalid

STATES = [status.value for status in Status]
# What an answer carries and a request may send back unchanged: it is not changed there.
READ_ONLY = {
    "id", "user", "registrations", "online", "callRecording", "warnings", "lastRegisteredAt", "lastUserAgent",
    "createdAt", "updatedAt",
}  # fmt: skip


class Yes(fields.Boolean):
    """JSON's true and false, nothing that only looks like them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:  # noqa: ARG002
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class OwnerOut(Camel):
    """Whose phone it is."""

    id = fields.UUID()
    first_name = fields.String()
    last_name = fields.String()


class RegistrationOut(Camel):
    """A device that is signed in."""

    id = fields.UUID()
    contact_uri = fields.String()
    user_agent = fields.String()
    ip_address = fields.String()
    port = fields.Integer()
    transport = fields.String()
    expires_at = Instant(allow_none=True)
    registered_at = Instant(allow_none=True)
    reachable = fields.Boolean()
    round_trip_ms = fields.Float(allow_none=True)


class RegistrationsOut(Camel):
    """The devices of a phone."""

    data = fields.List(fields.Nested(RegistrationOut))


class ExtensionItem(Camel):
    """A phone in a list."""

    id = fields.UUID()
    number = fields.String()
    display_name = fields.String()
    extension_type = fields.String(validate=validate.OneOf([kind.value for kind in ExtensionType]))
    user = fields.Nested(OwnerOut, allow_none=True)
    status = fields.String(validate=validate.OneOf(STATES))
    online = fields.Boolean()
    dnd_enabled = fields.Boolean()
    presence_status = fields.String(validate=validate.OneOf([one.value for one in Presence]))
    registrations = fields.List(fields.Nested(RegistrationOut))


class ForwardOut(Camel):
    """A forwarding and where to."""

    enabled = fields.Boolean()
    destination = fields.String(allow_none=True, metadata={"example": "extension:202"})


class LateForwardOut(ForwardOut):
    """The same, with the seconds after which it begins."""

    timeout = fields.Integer()


class ForwardingOut(Camel):
    """The three forwardings."""

    unconditional = fields.Nested(ForwardOut)
    on_busy = fields.Nested(ForwardOut)
    on_no_answer = fields.Nested(LateForwardOut)


class VoicemailOut(Camel):
    """The voicemail box; there is none yet."""

    enabled = fields.Boolean()
    pin = fields.String(allow_none=True)
    email_notification = fields.Boolean()


class RecordingOut(Camel):
    """What is recorded; nothing yet."""

    policy = fields.String()
    can_record = fields.Boolean()


class ExtensionOut(ExtensionItem):
    """A phone with everything but its password."""

    sip_password = fields.String(metadata={"example": HIDDEN})
    email = fields.String()
    codec_preferences = fields.List(fields.String(validate=validate.OneOf(CODECS)))
    transport = fields.String(validate=validate.OneOf([one.value for one in Transport]))
    max_concurrent_calls = fields.Integer()
    max_contacts = fields.Integer()
    ring_seconds = fields.Integer()
    language = fields.String()
    pickup_group = fields.String()
    forwarding = fields.Nested(ForwardingOut)
    voicemail = fields.Nested(VoicemailOut)
    call_recording = fields.Nested(RecordingOut)
    warnings = fields.List(fields.String())
    last_registered_at = Instant(allow_none=True)
    last_user_agent = fields.String()
    created_at = Instant()
    updated_at = Instant()


class StateOut(Camel):
    """What a phone does at this moment; ``state`` is offline, idle, ringing or busy."""

    id = fields.UUID()
    number = fields.String()
    status = fields.String(validate=validate.OneOf(STATES))
    online = fields.Boolean()
    state = fields.String(validate=validate.OneOf(["offline", "idle", "ringing", "busy"]))
    active_calls = fields.Integer()
    dnd_enabled = fields.Boolean()
    presence_status = fields.String()
    forwarding = fields.Nested(ForwardingOut)
    registrations = fields.List(fields.Nested(RegistrationOut))
    last_registered_at = Instant(allow_none=True)


class ForwardIn(Camel):
    """A forwarding: on or off, and where to (``202``, ``extension:202``)."""

    enabled = Yes()
    destination = Text(allow_none=True, max_length=80)


class LateForwardIn(ForwardIn):
    """The same, with the seconds after which it begins."""

    timeout = fields.Integer(strict=True)


class ForwardingIn(Camel):
    """The three forwardings; what is left out stays as it is."""

    unconditional = fields.Nested(ForwardIn)
    on_busy = fields.Nested(ForwardIn)
    on_no_answer = fields.Nested(LateForwardIn)


class VoicemailIn(Camel):
    """There are no voicemail boxes yet: only ``enabled: false`` is accepted."""

    enabled = Yes(validate=validate.Equal(False, error="There are no voicemail boxes yet."))
    pin = fields.String(allow_none=True)
    email_notification = Yes()


class ExtensionChange(Camel):
    """What changes about a phone. Each field may be left out; owners may change some of them only.

    Forwardings can be given nested or flat. What an answer carries besides may be sent back and changes nothing.
    """

    number = Text(max_length=20)
    display_name = Text(max_length=200)
    user_id = fields.UUID(allow_none=True)
    email = Text(max_length=300)
    extension_type = Text(max_length=20)
    sip_password = fields.String(validate=validate.Length(max=200), metadata={"format": "password"})
    codec_preferences = fields.List(fields.String(), validate=validate.Length(max=20))
    transport = Text(max_length=20)
    max_concurrent_calls = fields.Integer(strict=True)
    max_contacts = fields.Integer(strict=True)
    ring_seconds = fields.Integer(strict=True)
    dnd_enabled = Yes()
    forwarding = fields.Nested(ForwardingIn)
    forward_unconditional_enabled = Yes()
    forward_unconditional_destination = Text(allow_none=True, max_length=80)
    forward_on_busy_enabled = Yes()
    forward_on_busy_destination = Text(allow_none=True, max_length=80)
    forward_on_no_answer_enabled = Yes()
    forward_on_no_answer_destination = Text(allow_none=True, max_length=80)
    forward_on_no_answer_timeout = fields.Integer(strict=True)
    language = Text(max_length=10)
    pickup_group = Text(max_length=40)
    presence_status = Text(max_length=20)
    status = Text(max_length=20)
    voicemail = fields.Nested(VoicemailIn)
    voicemail_enabled = Yes(validate=validate.Equal(False, error="There are no voicemail boxes yet."))
    voicemail_pin = fields.String(allow_none=True)

    @pre_load
    def without_read_only(self, data: Any, **_more: Any) -> Any:
        """Drop what an answer carries and nobody can change, the masked password included."""
        if not isinstance(data, Mapping):
            return data
        kept = {name: value for name, value in data.items() if name not in READ_ONLY}
        if kept.get("sipPassword") == HIDDEN:
            del kept["sipPassword"]
        return kept


class ExtensionIn(ExtensionChange):
    """A new phone. Without ``sipPassword`` one is made and shown in the answer, this once."""

    number = Text(max_length=20, required=True)
    display_name = Text(max_length=200, required=True)


class ExtensionQuery(PageQuery):
    """Which phones to list. ``owner`` is a person's id or ``none``; ``sort`` may begin with - for the other way."""

    class Meta:
        unknown = EXCLUDE

    status = fields.String(load_default="", validate=validate.OneOf(["", *STATES]))
    owner = fields.String(load_default="", validate=validate.Length(max=36), metadata={"example": NOBODY})
    online = fields.Boolean(load_default=None, allow_none=True)
    sort = fields.String(
        load_default="number", validate=validate.OneOf([f"{way}{o}" for o in ORDERS for way in ("", "-")])
    )


class PasswordIn(Camel):
    """``reveal`` shows the present password and needs ``accountPassword``; else a new one is set."""

    reveal = Yes(load_default=False)
    account_password = fields.String(
        load_default="", validate=validate.Length(max=200), metadata={"format": "password"}
    )
    sip_password = fields.String(load_default="", validate=validate.Length(max=200), metadata={"format": "password"})


class PasswordOut(Camel):
    """A phone's password."""

    id = fields.UUID()
    number = fields.String()
    sip_password = fields.String()


class BulkChange(Camel):
    """The changes of one phone, named by id or number."""

    id = fields.UUID()
    number = Text(max_length=20)
    changes = fields.Nested(ExtensionChange, required=True)


class BulkIn(Camel):
    """New phones: a list of them, or a first number, how many, and a pattern for their names."""

    extensions = fields.List(fields.Nested(ExtensionIn), validate=validate.Length(1, 500))
    first_number = Text(max_length=20)
    count = fields.Integer(strict=True, validate=validate.Range(1, 500))
    name_pattern = Text(max_length=100, metadata={"example": "Phone {number}"})


class IdsIn(Camel):
    """The phones to delete."""

    ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, 500))


class ExtensionsOut(Camel):
    """Several phones."""

    data = fields.List(fields.Nested(ExtensionOut))


ExtensionPage: type[Schema] = paged(ExtensionItem)


def flat(data: dict[str, Any]) -> dict[str, Any]:
    """A loaded body as the service's fields: forwardings flat, ids as text, what does not exist yet left out.

    Raises Invalid when a forwarding is given both ways and differently.
    """
    given = {name: value for name, value in data.items() if not name.startswith("voicemail") and name != "forwarding"}
    if given.get("user_id") is not None:
        given["user_id"] = str(given["user_id"])
    for when in FORWARDS:
        for part, value in data.get("forwarding", {}).get(when, {}).items():
            name = f"forward_{when}_{part}"
            if given.setdefault(name, value) != value:
                raise Invalid({camel(name): _("Say it once: nested or flat.")})
    return given
