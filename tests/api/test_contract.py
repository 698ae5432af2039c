"""schemathesis asks the running server everything that ``openapi.json`` allows and much that it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.serving import make_server

from pbxweb.extensions.models import Extension
from pbxweb.storage.database import db
from tests.conftest import ApiClient, Person

PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
EXAMPLES = 6


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application on a real server of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def things(app: Flask, person: Callable[..., Person]) -> dict[str, str]:
    """Ids that exist, by the name of the path's parameter."""
    someone = person("user")
    with app.app_context():
        row = Extension(number="201", display_name="Anna", sip_password="x" * 16, sip_digest="0" * 32)
        db.session.add(row)
        db.session.commit()
        return {"user_id": someone.id, "extension_id": row.id}


def _operations(schema: Any) -> list[Any]:
    return [result.ok() for result in schema.get_all_operations()]


def _told(error: BaseException) -> str:
    inner = getattr(error, "exceptions", ())
    return "\n".join(_told(one) for one in inner) if inner else str(error)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_answer_is_a_500_or_not_documented(
    address: str,
    admin: Person,
    api: Callable[..., ApiClient],
    things: dict[str, str],
    mode: GenerationMode,
) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    failures: list[str] = []
    for operation in _operations(schema):

        @examples(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            for name in case.path_parameters or {}:
                if name in things and mode is GenerationMode.POSITIVE:
                    case.path_parameters[name] = things[name]
            token = api(of=admin).token
            response = case.call(headers={"Authorization": f"Bearer {token}"})
            case.validate_response(response, checks=PROMISES)

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # a route without input has no bad one
        except (Exception, BaseExceptionGroup) as error:
            failures.append(f"{operation.label}: {_told(error)}")
    assert not failures, "\n\n".join(failures)


def test_it_finds_every_operation_of_the_document(address: str, admin: Person) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    labels = {operation.label for operation in _operations(schema)}
    assert {"POST /api/v1/auth/login", "GET /api/v1/users", "PATCH /api/v1/extensions/{extension_id}"} <= labels
