"""The OpenAPI document of the whole API, made from the code that validates, and a readable page of it."""

from __future__ import annotations

import json
import threading
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, request
from flask_babel import get_locale
from flask_smorest import Api
from markupsafe import Markup
from werkzeug.routing import IntegerConverter, Map

from pbxweb.api import problems
from pbxweb.api.blueprint import PREFIX, ApiBlueprint
from pbxweb.api.paging import Problem
from pbxweb.security.guard import PUBLIC, access_of, public
from pbxweb.security.roles import PERMISSIONS, Role, Scope

_making = threading.Lock()

METHODS = ("get", "post", "put", "patch", "delete")
MAX_NUMBER = 2**53 - 1
JSON_LIMIT = 1024 * 1024
DESCRIPTION = (
    "Everything that the pages can do. Sign in with `POST /api/v1/auth/login`, then send "
    "`Authorization: Bearer <accessToken>`. Ids are UUIDs, times are UTC, errors are problem details (RFC 9457). "
    "Counted answers carry `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`. "
    "Calls and phones are told as they change over the WebSocket `/api/v1/events`: see the handbook."
)
REASONS = {
    400: "Something in the request is not valid; `errors` names each field",
    401: "Not signed in, or the access token is no longer good",
    403: "The role does not allow it",
    404: "There is no such thing",
    409: "It clashes with something that exists",
    413: "The request is too large",
    415: "The body is not JSON",
    422: "Refused; `detail` says why",
    429: "Too many requests; try again after `retryAfter` seconds",
    503: "A part that is needed does not answer now; nothing was changed",
}


class Number(IntegerConverter):
    """``<int:…>`` in a route: no larger than a JSON number can be exactly; beyond that there is nothing (404)."""

    def __init__(self, url_map: Map, fixed_digits: int = 0, min: int | None = None, max: int = MAX_NUMBER) -> None:
        super().__init__(url_map, fixed_digits, min, max)


def _number_schema(converter: Number) -> dict[str, Any]:
    return {"type": "integer", "minimum": converter.min or 0, "maximum": converter.max}


class HouseApi(Api):  # type: ignore[misc]
    """flask-smorest without its own error answers (see ``problems.py``), and described only when somebody asks."""

    def __init__(self, app: Flask, **more: Any) -> None:
        self._undescribed: list[ApiBlueprint] = []
        super().__init__(app, **more)

    def _register_error_handlers(self) -> None:
        return

    def register_blueprint(self, blp: ApiBlueprint, **options: Any) -> None:
        """Open the routes of ``blp``. Its description waits, because making it takes as long as the rest of a start."""
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    def described(self) -> dict[str, Any]:
        """The document as the library makes it, of all blueprints."""
        while self._undescribed:
            blp = self._undescribed.pop(0)
            blp.register_views_in_doc(self, self._app, self.spec, name=blp.name, parameters=None)
            self.spec.tag({"name": blp.name, "description": blp.description})
        spec: dict[str, Any] = self.spec.to_dict()
        return spec


def init_app(app: Flask) -> Any:
    """Set up the API of ``app``; its document is at ``/api/v1/openapi.json``, its page at ``/api/v1/docs``.

    Out: the object that takes the rooms' API blueprints (``register_blueprint``).
    """
    from pbxweb import __version__
    from pbxweb.api import events
    from pbxweb.api.fields import Instant, Text

    problems.init_app(app)
    events.init_app(app)
    app.config.update(API_TITLE="pbxweb", API_VERSION=__version__, OPENAPI_VERSION="3.0.3")
    api = HouseApi(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    app.url_map.converters["int"] = Number
    api.register_converter(Number, _number_schema)
    api.register_field(Text, "string", None)
    api.register_field(Instant, "string", "date-time")
    api.spec.components.schema("Problem", schema=Problem)
    api.spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token."}
    )
    app.extensions["pbxweb.api"] = api
    app.register_blueprint(_pages())
    app.before_request(_limit_body)
    return api


def _limit_body() -> None:
    if request.path.startswith("/api/"):
        request.max_content_length = JSON_LIMIT


def _pages() -> Blueprint:
    pages = Blueprint("api_docs", __name__, url_prefix=PREFIX)

    @pages.get("/openapi.json")
    @public
    def openapi_json() -> Response:
        response = Response(_text(current_app._get_current_object()), mimetype="application/json")  # type: ignore[attr-defined]
        response.headers["Cache-Control"] = "no-cache"
        response.add_etag()
        response.make_conditional(request)
        return response

    @pages.get("/docs")
    @public
    def docs() -> str:
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        return render_template("api/docs.html", spec=document(app), operations=_operations(app))

    return pages


def _operations(app: Flask) -> Markup:
    """The readable list of all routes and their data; one text a language, made once."""
    made: dict[str, Markup] = app.extensions.setdefault("pbxweb.openapi.pages", {})
    language = str(get_locale())
    if language not in made:
        spec = document(app)
        made[language] = Markup(render_template("api/_operations.html", spec=spec, groups=_groups(spec)))  # noqa: S704 - our template
    return made[language]


def _text(app: Flask) -> str:
    return json.dumps(document(app))


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of ``app``: what the schemas say, plus who may call it and how each route can refuse."""
    with _making:
        spec: dict[str, Any] | None = app.extensions.get("pbxweb.openapi")
        if spec is None:
            spec = app.extensions["pbxweb.openapi"] = _document(app)
    return spec


def _document(app: Flask) -> dict[str, Any]:
    spec: dict[str, Any] = app.extensions["pbxweb.api"].described()
    components = spec["components"].setdefault("responses", {})
    components.clear()
    for status, reason in REASONS.items():
        components[f"Problem{status}"] = _problem(reason)
    for rule in app.url_map.iter_rules():
        path = _openapi_path(rule.rule)
        for method in METHODS:
            operation = spec["paths"].get(path, {}).get(method)
            if operation is not None and method.upper() in (rule.methods or ()):
                access = access_of(app.view_functions[rule.endpoint], method)
                _complete(operation, spec["paths"][path], rule.endpoint, method, access)
    return spec


def _problem(reason: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}


def _openapi_path(rule: str) -> str:
    import re

    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule)


def _complete(operation: dict[str, Any], path: dict[str, Any], endpoint: str, method: str, access: str | None) -> None:
    operation["operationId"] = f"{endpoint.removeprefix('api_').replace('.', '_')}_{method}"
    statuses = {int(s) for s in operation["responses"] if str(s).isdigit() and int(s) >= 400} | {429}
    parameters = [*path.get("parameters", []), *operation.get("parameters", [])]
    if any(p.get("in") == "path" for p in parameters):
        statuses.add(404)
    if any(p.get("in") != "path" for p in parameters):
        statuses.add(400)
    if "requestBody" in operation:
        statuses |= {400, 413, 415}
    if method != "get":
        statuses |= {400, 413, 422, 503}
    if access == PUBLIC:
        operation["security"] = []
    elif access is not None:
        operation["security"] = [{"bearer": []}]
        statuses.add(401)
        scopes = PERMISSIONS[access]
        if any(scopes.get(role) is not Scope.ALL for role in Role):
            statuses.add(403)
        allowed = ", ".join(f"{role} (own)" if scope is Scope.OWN else str(role) for role, scope in scopes.items())
        operation["description"] = f"{operation.get('description', '')}\n\nRoles: {allowed}.".strip()
    kept = {s: r for s, r in operation["responses"].items() if str(s).isdigit() and int(s) < 400}
    refused = {str(s): {"$ref": f"#/components/responses/Problem{s}"} for s in sorted(statuses)}
    operation["responses"] = {**kept, **refused}


def _groups(spec: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """The document as the page shows it: (tag, its description, operations with ``method`` and ``path``)."""
    about = {tag["name"]: tag.get("description", "") for tag in spec.get("tags", [])}
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in about}
    for path, operations in spec["paths"].items():
        for method in METHODS:
            if method in operations:
                shown = {"method": method, "path": path, "path_parameters": operations.get("parameters", [])}
                groups[operations[method]["tags"][0]].append({**operations[method], **shown})
    return [(name, about[name], found) for name, found in groups.items() if found]
