"""Fields that every schema of the API uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from pbxweb.security.text import fault


class Text(fields.String):
    """A text without control characters and lone surrogates, with its outer blanks cut off.

    ``max_length`` in characters (default 200); ``lines`` allows several lines; ``empty`` allows "".
    """

    def __init__(self, *, max_length: int = 200, min_length: int = 0, lines: bool = False, **more: Any) -> None:
        self.lines = lines
        given = more.pop("validate", [])
        more["validate"] = [
            validate.Length(min=min_length or None, max=max_length),
            *(given if isinstance(given, list) else [given]),
        ]
        super().__init__(**more)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        text = super()._deserialize(value, attr, data, **more)
        problem = fault(text, lines=self.lines) if isinstance(text, str) else None
        if problem:
            raise ValidationError(str(problem))
        return text.strip() if isinstance(text, str) else text


class Instant(fields.DateTime):
    """A moment on the wire: ``2026-01-15T10:30:00Z``. Input without a zone is refused."""

    def __init__(self, **more: Any) -> None:
        super().__init__(format="iso", **more)

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **more: Any) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        moment = super()._deserialize(value, attr, data, **more)
        if moment.tzinfo is None:
            raise ValidationError("Give the time zone too, for example 2026-01-15T10:30:00Z.")
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type="datetime") from error
