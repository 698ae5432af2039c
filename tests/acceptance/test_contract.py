"""schemathesis asks the running server everything that ``openapi.json`` allows and much that it does not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
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

from tests.served import PASSWORD, Served

PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
EXAMPLES = 6


def _things(served: Served) -> dict[str, str]:
    """Ids that exist, by the name of the path's parameter."""
    phone = served.api("GET", "/extensions").body["data"][0]
    person = {"email": "eve@example.org", "role": "user", "firstName": "Eve", "password": PASSWORD}
    return {"extension_id": phone["id"], "user_id": served.api("POST", "/users", person).body["id"]}


def _operations(schema: Any) -> list[Any]:
    return [result.ok() for result in schema.get_all_operations()]


def _told(error: BaseException) -> str:
    inner = getattr(error, "exceptions", ())
    return "\n".join(_told(one) for one in inner) if inner else str(error)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_answer_is_a_500_or_not_documented(served: Served, mode: GenerationMode) -> None:
    served.set_up(phones=2)
    things = _things(served)
    schema = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    assert len(_operations(schema)) > 40
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
            response = case.call(headers={"Authorization": f"Bearer {served.token}"})
            case.validate_response(response, checks=PROMISES)

        try:
            ask()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # a route without input has no bad one
        except (Exception, BaseExceptionGroup) as error:
            failures.append(f"{operation.label}: {_told(error)}")
        if "/auth/" in operation.path:
            served.sign_in()  # it may have ended the sign-in
    assert not failures, "\n\n".join(failures)
