"""The wire forms of calls."""

from __future__ import annotations

from marshmallow import EXCLUDE, fields, validate

from pbxweb.api.fields import Instant, Text
from pbxweb.api.paging import Camel, Meta
from pbxweb.calls.fold import DIRECTIONS, DISPOSITIONS

STATES = ("initiated", "ringing", "answered", "held", "transferred", "parked", "ended")


class Party(Camel):
    """A device in a call."""

    number = fields.String()
    name = fields.String()
    role = fields.String(metadata={"description": "calling (it dialled) or called (it rang)"})
    outcome = fields.String(metadata={"description": "answered, elsewhere, missed, busy or failed"})
    started_at = Instant(allow_none=True)
    answered_at = Instant(allow_none=True)
    ended_at = Instant(allow_none=True)


class Step(Camel):
    """Something that happened on the way."""

    at = Instant()
    what = fields.String(metadata={"description": "transferred, picked up, parked or fetched"})
    by = fields.String()
    to = fields.String()


class CallOut(Camel):
    """A call, live or ended."""

    id = fields.UUID()
    state = fields.String(validate=validate.OneOf(STATES))
    direction = fields.String(validate=validate.OneOf(DIRECTIONS))
    disposition = fields.String(validate=validate.OneOf(DISPOSITIONS), allow_none=True)
    caller_number = fields.String()
    caller_name = fields.String()
    callee_number = fields.String()
    callee_name = fields.String()
    answered_by = fields.String()
    started_at = Instant(allow_none=True)
    answered_at = Instant(allow_none=True)
    ended_at = Instant(allow_none=True)
    ring_seconds = fields.Integer()
    talk_seconds = fields.Integer()
    parking_slot = fields.String(allow_none=True)


class CallDetails(CallOut):
    """A call with the devices that took part in it."""

    legs = fields.List(fields.Nested(Party))
    steps = fields.List(fields.Nested(Step))


class LiveQuery(Camel):
    """Which calls under way."""

    class Meta:
        unknown = EXCLUDE

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    extension = Text(load_default="", max_length=8)


class LivePage(Camel):
    """Calls under way."""

    data = fields.List(fields.Nested(CallOut))
    meta = fields.Nested(Meta)


class FilterQuery(Camel):
    """Which ended calls."""

    class Meta:
        unknown = EXCLUDE

    start = Instant(data_key="from", load_default=None, metadata={"description": "began at this moment or later"})
    end = Instant(data_key="to", load_default=None, metadata={"description": "began before this moment"})
    extension = Text(load_default="", max_length=80, metadata={"description": "a phone's number, in whatever part"})
    search = Text(load_default="", max_length=80, metadata={"description": "a part of a number or a name"})
    direction = fields.String(load_default="", validate=validate.OneOf(("", *DIRECTIONS)))
    disposition = fields.String(load_default="", validate=validate.OneOf(("", *DISPOSITIONS)))


class HistoryQuery(FilterQuery):
    """Which page of the ended calls: by number, or from a cursor of an earlier answer on."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    cursor = Text(load_default="", max_length=40)


class HistoryMeta(Meta):
    """Where the page stands. With a cursor, ``page`` is 1."""

    exact = fields.Boolean(metadata={"description": "false: there are at least `total` calls"})
    next_cursor = fields.String(allow_none=True)


class HistoryPage(Camel):
    """Ended calls, the newest first."""

    data = fields.List(fields.Nested(CallOut))
    meta = fields.Nested(HistoryMeta)


class OriginateIn(Camel):
    """Click-to-call. Without ``from`` the own phone rings."""

    source = Text(data_key="from", load_default="", max_length=8)
    target = Text(data_key="to", required=True, min_length=1, max_length=60)


class OriginateOut(Camel):
    """The call that has begun."""

    call_id = fields.UUID()
    status = fields.String()


class FiguresOut(Camel):
    """The calls of a stretch of time."""

    start = Instant(data_key="from")
    end = Instant(data_key="to")
    total = fields.Integer()
    answered = fields.Integer()
    missed = fields.Integer()
    busy = fields.Integer()
    failed = fields.Integer()
    inbound = fields.Integer()
    outbound = fields.Integer()
    internal = fields.Integer()
    talk_seconds = fields.Integer()
    average_talk_seconds = fields.Integer()


class DayOut(Camel):
    """The calls of a day."""

    day = fields.Date(data_key="date")
    total = fields.Integer()
    answered = fields.Integer()


class StatisticsQuery(Camel):
    """Whose calls."""

    class Meta:
        unknown = EXCLUDE

    extension = Text(load_default="", max_length=8)


class StatisticsOut(Camel):
    """How many calls there were."""

    timezone = fields.String()
    today = fields.Nested(FiguresOut)
    week = fields.Nested(FiguresOut)
    month = fields.Nested(FiguresOut)
    days = fields.List(fields.Nested(DayOut))
