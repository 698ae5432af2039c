"""Blueprints of the API: flask-smorest below ``/api/v1``, every route with its documented refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from flask import Request, abort
from flask_smorest import Blueprint
from webargs import core
from webargs.flaskparser import FlaskParser

from pbxweb.api.paging import Problem

View = TypeVar("View", bound=Callable[..., Any])

PREFIX = "/api/v1"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@cache
def _the_one(schema: type[Any]) -> Any:
    """The instance of a schema that all requests share: making one takes longer than reading with it."""
    return schema()


class StrictParser(FlaskParser):
    """webargs with the contract's 400, and with an answer for every body that is not plain JSON."""

    DEFAULT_VALIDATION_STATUS = 400

    def _get_schema(self, argmap: Any, req: Request) -> Any:
        return _the_one(argmap) if isinstance(argmap, type) else super()._get_schema(argmap, req)

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data(cache=True)
        if not body:
            return core.missing
        if not core.is_json(req.mimetype):
            abort(415, "Send JSON, with the header Content-Type: application/json.")
        try:
            return json.loads(body.decode(), parse_constant=_refuse_constant)
        except RecursionError:
            abort(400, "The JSON is nested too deeply.")
        except ValueError:
            abort(400, "The body is not valid JSON in UTF-8.")


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """A flask-smorest blueprint that reads its input strictly."""

    ARGUMENTS_PARSER = StrictParser()

    if TYPE_CHECKING:  # the library has no types

        def route(self, rule: str, **options: Any) -> Callable[[View], View]: ...
        def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]: ...
        def response(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]: ...
        def alt_response(self, status: int, **options: Any) -> Callable[[View], View]: ...
        def doc(self, **options: Any) -> Callable[[View], View]: ...


def blueprint(room: str, description: str, path: str | None = None) -> ApiBlueprint:
    """A blueprint ``api_<room>`` at ``/api/v1/<path>`` (default: the room's name).

    Decorate a route from the outside in: ``@bp.route``, ``@requires``/``@public``, ``@limited``, ``@bp.arguments``,
    ``@bp.response``, ``@refusals``; so nobody learns from a validation error what only others may do.
    """
    url = f"{PREFIX}/{room if path is None else path}".rstrip("/")
    return ApiBlueprint(f"api_{room}", __name__, url_prefix=url, description=description)


def refusals(bp: ApiBlueprint, *statuses: int) -> Callable[[View], View]:
    """Decorator: document that a route may answer ``statuses`` as problem documents.

    What follows from the route itself comes without it: 400, 413 and 415 for input, 401 and 403 by its permission, 404
    for ids in the path, 429 always, and for what changes something 422 and 503.
    """

    def decorate(view: View) -> View:
        for status in sorted(set(statuses)):
            view = bp.alt_response(status, schema=Problem, content_type="application/problem+json")(view)
        return view

    return decorate
