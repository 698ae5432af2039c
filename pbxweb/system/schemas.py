"""What the API of the device takes and gives."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields, validate

from pbxweb.api.paging import Camel
from pbxweb.system.house import DIGITS
from pbxweb.system.setup import MOST_PHONES


class Services(Camel):
    """Part by part: healthy or unhealthy."""

    sip = fields.String()
    database = fields.String()
    storage = fields.String()


class StatusAnswer(Camel):
    """Is it up?"""

    status = fields.String(validate=validate.OneOf(["healthy", "degraded"]))
    version = fields.String()
    uptime = fields.Integer()
    services = fields.Nested(Services)
    active_calls = fields.Integer()
    registered_extensions = fields.Integer()


class StatsAnswer(Camel):
    """Figures of the whole house."""

    total_users = fields.Integer()
    total_extensions = fields.Integer()
    total_trunks = fields.Integer()
    total_queues = fields.Integer()
    current_active_calls = fields.Integer()
    calls_today = fields.Integer()
    peak_concurrent_calls_today = fields.Integer()
    storage_used_gb = fields.Float(data_key="storageUsedGB")


class HealthLine(Camel):
    """One line of the dashboard's health."""

    level = fields.String(validate=validate.OneOf(["red", "yellow", "blue", "green"]))
    title = fields.String()
    text = fields.String()


class DashboardAnswer(Camel):
    """What the dashboard shows, as far as the caller may know."""

    asterisk_up = fields.Boolean()
    extensions = fields.Integer()
    extensions_online = fields.Integer()
    active_calls = fields.Integer()
    calls_today = fields.Integer()
    answered_today = fields.Integer()
    missed_today = fields.Integer()
    talk_seconds_today = fields.Integer()
    health = fields.List(fields.Nested(HealthLine))


class KeysetQuery(Camel):
    """Where a list goes on."""

    class Meta:
        unknown = EXCLUDE

    before = fields.Integer(load_default=None, validate=validate.Range(1, 2**53))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))


class RevisionBase(Camel):
    """One change of what Asterisk runs."""

    number = fields.Integer()
    at = fields.DateTime()
    actor = fields.String(attribute="actor_name")
    via = fields.String()
    action = fields.String()
    subject = fields.String()
    live = fields.Boolean()
    needs_restart = fields.Boolean()
    undoes = fields.Integer(allow_none=True)


class RevisionLine(RevisionBase):
    """One change of what Asterisk runs, and the names of the files that it changed."""

    files = fields.List(fields.String())


class RevisionAnswer(RevisionBase):
    """One change of what Asterisk runs, and what it changed in which file, as unified differences."""

    files = fields.Dict(keys=fields.String(), values=fields.String(), attribute="diffs")


class RevisionsAnswer(Camel):
    """Changes, newest first; ``next`` is the ``before`` of the following page."""

    data = fields.List(fields.Nested(RevisionLine))
    next = fields.Integer(allow_none=True)


class UndoneAnswer(Camel):
    """The change that undid another."""

    revision = fields.Integer(allow_none=True)
    live = fields.Boolean()


class AuditQuery(KeysetQuery):
    """Which entries."""

    search = fields.String(load_default="", validate=validate.Length(max=100))
    action = fields.String(load_default="", validate=validate.Length(max=60))


class AuditAnswer(Camel):
    """One line of the trail. In a list ``details`` is null where they are long: ask for the entry itself."""

    id = fields.Integer()
    at = fields.DateTime()
    actor = fields.String(attribute="actor_name")
    via = fields.String()
    address = fields.String()
    action = fields.String()
    subject = fields.String()
    details = fields.Raw(allow_none=True)


class TrailAnswer(Camel):
    """The trail, newest first."""

    data = fields.List(fields.Nested(AuditAnswer))
    next = fields.Integer(allow_none=True)


class SetupRequest(Camel):
    """The whole first run."""

    code = fields.String(required=True, validate=validate.Length(max=40))
    language = fields.String(load_default="en", validate=validate.OneOf(["de", "en"]))
    email = fields.String(required=True, validate=validate.Length(max=254))
    password = fields.String(required=True, load_only=True, validate=validate.Length(max=200))
    first_name = fields.String(load_default="", validate=validate.Length(max=100))
    last_name = fields.String(load_default="", validate=validate.Length(max=100))
    country = fields.String(required=True, validate=validate.Length(equal=2))
    area_code = fields.String(load_default="", validate=validate.Length(max=20))
    digits = fields.Integer(data_key="numberPlan", load_default=3, validate=validate.OneOf(DIGITS))
    phones = fields.Integer(load_default=0, validate=validate.Range(0, MOST_PHONES))


class SetupPhone(Camel):
    """A phone that was just made; its password is given this once."""

    id = fields.String()
    number = fields.String()
    display_name = fields.String()
    password = fields.String()
    server = fields.String()
    port = fields.Integer()
    transport = fields.String()


class SetupAnswer(Camel):
    """The administrator and the first phones."""

    user_id = fields.String()
    email = fields.String()
    phones = fields.List(fields.Nested(SetupPhone))


class DecisionsAnswer(Camel):
    """The decisions of the house."""

    language = fields.String(validate=validate.OneOf(["de", "en"]))
    country = fields.String()
    area_code = fields.String()
    digits = fields.Integer(data_key="numberPlan")
    tone_zone = fields.String()


class DecisionsRequest(Camel):
    """Decisions to change."""

    language = fields.String(validate=validate.OneOf(["de", "en"]))
    country = fields.String(validate=validate.Length(equal=2))
    area_code = fields.String(validate=validate.Length(max=20))
    digits = fields.Integer(data_key="numberPlan", validate=validate.OneOf(DIGITS))
    tone_zone = fields.String(validate=validate.Length(max=10))
