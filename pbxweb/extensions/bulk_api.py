"""Several phones in one request and one change: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from pbxweb.api.blueprint import blueprint, refusals
from pbxweb.extensions import service
from pbxweb.extensions.schemas import BulkChange, BulkIn, ExtensionsOut, IdsIn, flat
from pbxweb.extensions.shown import wholes
from pbxweb.security.errors import Invalid
from pbxweb.security.guard import requires
from pbxweb.security.identity import actor

bulk = blueprint("extensions_bulk", "Several phones at once: at most 500, all of them or none.", "extensions")


@bulk.route("", methods=["PATCH"])
@requires("extensions.update")
@bulk.arguments(BulkChange(many=True))
@bulk.response(200, ExtensionsOut)
@refusals(bulk, 404, 409)
def patch_extensions(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Change several phones

    Each with its own changes, named by `id` or `number`. The answer has them in the same order; fields of a refusal
    are named with their place, as in `2.displayName`.
    """
    who = actor()
    rows = service.update_many(who, [(_key(item, place), flat(item["changes"])) for place, item in enumerate(items)])
    return {"data": wholes(rows, who)}


@bulk.route("/bulk", methods=["POST"])
@requires("extensions.create")
@bulk.arguments(BulkIn)
@bulk.response(201, ExtensionsOut)
@refusals(bulk, 409)
def post_extensions(data: dict[str, Any]) -> dict[str, Any]:
    """Add several phones

    Either `extensions`, or `firstNumber`, `count` and `namePattern`; numbers in use are left out then. The answer
    carries the generated passwords, this once.
    """
    who = actor()
    if "extensions" in data:
        given = [flat(one) for one in data["extensions"]]
        made = service.create_many(who, given)
        shown = [not one.get("sip_password") for one in given]
    else:
        first = data.get("first_number", "")
        made = service.bulk_create(
            who, first or service.suggest_number(), data.get("count", 1), data.get("name_pattern", "")
        )
        shown = [True] * len(made)
    rows = wholes([new.extension for new in made], who)
    for row, new, show in zip(rows, made, shown, strict=True):
        if show:
            row["sip_password"] = new.password
    return {"data": rows}


@bulk.route("/bulk-delete", methods=["POST"])
@requires("extensions.delete")
@bulk.arguments(IdsIn)
@bulk.response(204)
@refusals(bulk, 404)
def delete_extensions(data: dict[str, Any]) -> None:
    """Delete several phones"""
    service.delete_many(actor(), [str(one) for one in data["ids"]])


def _key(item: Mapping[str, Any], place: int) -> dict[str, str]:
    if item.get("id"):
        return {"id": str(item["id"])}
    if item.get("number"):
        return {"number": item["number"]}
    raise Invalid({f"{place}.id": _("Name the phone: give its id or its number.")})
