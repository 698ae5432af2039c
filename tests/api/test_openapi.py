"""The document of the API and its page."""

from __future__ import annotations

import json

from flask import Flask
from flask.testing import FlaskClient

from pbxweb.api.openapi import METHODS, document
from pbxweb.security.guard import PUBLIC, access_of
from pbxweb.security.roles import Role
from tests.conftest import Person


def test_every_route_below_api_is_documented_with_its_access(app: Flask) -> None:
    spec = document(app)
    routes = 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.websocket or rule.endpoint.startswith("api_docs."):
            continue
        path = rule.rule.replace("<uuid:", "{").replace("<", "{").replace(">", "}")
        path = "/".join(part if ":" not in part else "{" + part.split(":")[1] for part in path.split("/"))
        for method in METHODS:
            if method.upper() in (rule.methods or ()):
                operation = spec["paths"][path][method]
                public = access_of(app.view_functions[rule.endpoint], method) == PUBLIC
                assert operation["security"] == ([] if public else [{"bearer": []}]), path
                assert ("401" in operation["responses"]) or public
                assert "429" in operation["responses"]
                assert operation["summary"], f"{method} {path} has no docstring"
                routes += 1
    assert routes == sum(method in METHODS for operations in spec["paths"].values() for method in operations)
    assert routes > 10


def test_every_operation_has_a_name_of_its_own(app: Flask) -> None:
    spec = document(app)
    names = [o["operationId"] for operations in spec["paths"].values() for m, o in operations.items() if m in METHODS]
    assert len(names) == len(set(names))


def test_every_refusal_is_a_problem_document(app: Flask) -> None:
    spec = document(app)
    for operations in spec["paths"].values():
        for method, operation in operations.items():
            if method in METHODS:
                refused = {s: r for s, r in operation["responses"].items() if int(s) >= 400}
                assert all(r == {"$ref": f"#/components/responses/Problem{s}"} for s, r in refused.items())
    problem = spec["components"]["responses"]["Problem429"]
    assert list(problem["content"]) == ["application/problem+json"]


def test_all_references_lead_somewhere(app: Flask) -> None:
    spec = document(app)
    text = json.dumps(spec)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        here = spec
        for step in reference.split("/"):
            here = here[step]


def test_the_document_is_served_and_can_be_cached(client: FlaskClient, admin: Person) -> None:
    first = client.get("/api/v1/openapi.json")
    assert first.status_code == 200
    assert first.json["openapi"].startswith("3.0")
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_the_page_shows_every_operation_without_foreign_assets(app: Flask, client: FlaskClient, admin: Person) -> None:
    html = client.get("/api/v1/docs").get_data(as_text=True)
    for path in document(app)["paths"]:
        assert path in html
    for word in ('src="http', 'href="http', "//cdn"):
        assert word not in html
    assert all(role.value in html for role in Role)
