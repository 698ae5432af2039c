"""What a service refuses, in words for people. Views and API turn these into pages and problem details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """Base of everything a verb can refuse. ``str()`` is the sentence a person reads."""

    status = 422
    kind = "refused"

    def __init__(self, message: Any) -> None:
        super().__init__(str(message))


class Invalid(Refused):
    """The input is wrong. ``fields`` maps the field's API name (camelCase) to what is wrong and how to mend it."""

    status = 400
    kind = "validation-error"

    def __init__(self, fields: Mapping[str, Any], message: Any = "") -> None:
        self.fields = {name: str(text) for name, text in fields.items()}
        super().__init__(message or next(iter(self.fields.values()), ""))


class NotFound(Refused):
    """There is no such thing (or this actor may not know of it)."""

    status = 404
    kind = "not-found"


class Forbidden(Refused):
    """This actor may not do it."""

    status = 403
    kind = "forbidden"


class Conflict(Refused):
    """It clashes with what exists; ``field`` names where, if it was an input."""

    status = 409
    kind = "conflict"

    def __init__(self, message: Any, field: str = "") -> None:
        self.field = field
        super().__init__(message)


class Unavailable(Refused):
    """A part that is needed does not answer now (Asterisk is down, the disk is full). Nothing was changed."""

    status = 503
    kind = "unavailable"


class SignInFailed(Refused):
    """E-mail address or password are wrong, or a token is no longer good."""

    status = 401
    kind = "unauthorized"


class StaleForm(Refused):
    """A form without this visit's token: it was open for too long, or another site sent it."""

    status = 400
    kind = "stale-form"


class TooMany(Refused):
    """Too many requests; ``retry_after`` is in seconds."""

    status = 429
    kind = "rate-limit"

    def __init__(self, message: Any, retry_after: int) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(message)
