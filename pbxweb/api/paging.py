"""Paging as the contract has it: ``page`` and ``limit`` in, ``{"data": […], "meta": {…}}`` out."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from pbxweb.api.fields import Text


class Camel(Schema):
    """Base of all schemas: snake_case in Python, camelCase on the wire. Unknown input is refused."""

    def on_bind_field(self, field_name: str, field_obj: Any) -> None:
        """Give the field its camelCase name unless it has one of its own."""
        first, *rest = field_name.split("_")
        field_obj.data_key = field_obj.data_key or first + "".join(word.capitalize() for word in rest)


class PageQuery(Camel):
    """The query arguments of every list."""

    class Meta:
        unknown = EXCLUDE

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 100))
    search = Text(load_default="", max_length=200)


class Meta(Camel):
    """The ``meta`` of a list."""

    page = fields.Integer()
    limit = fields.Integer()
    total = fields.Integer()
    total_pages = fields.Integer()


class Problem(Schema):
    """RFC 9457 problem details, for the OpenAPI document."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    errors = fields.List(fields.Dict(keys=fields.String(), values=fields.String()))
    retryAfter = fields.Integer()


def paged(item: type[Schema]) -> type[Schema]:
    """The schema of a page of ``item``."""
    name = f"{item.__name__}Page"
    return type(name, (Camel,), {"data": fields.List(fields.Nested(item)), "meta": fields.Nested(Meta)})


def page_of(data: list[Any], total: int, page: int, limit: int) -> dict[str, Any]:
    """The answer of a list: its rows and where in the whole they stand."""
    meta = {"page": page, "limit": limit, "total": total, "total_pages": max(1, -(-total // limit))}
    return {"data": data, "meta": meta}
