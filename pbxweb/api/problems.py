"""Errors as RFC 9457 (formerly 7807) problem details, the same for every route."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from pbxweb.security.errors import Conflict, Invalid, Refused, TooMany

if TYPE_CHECKING:
    from flask import Flask

TITLES = {
    400: "Validation Error",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Rate Limit Exceeded",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """A problem document. ``errors`` maps a field's API name to what is wrong with it."""
    body: dict[str, Any] = {
        "type": f"/errors/{kind}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request.path,
        **more,
    }
    if errors:
        body["errors"] = [{"field": name, "message": text} for name, text in errors.items()]
    response = Response(json.dumps(body), status, mimetype="application/problem+json")
    response.headers.extend(headers or {})
    return response


def of_refusal(refusal: Refused) -> Response:
    """The problem that a service's refusal is."""
    errors: Mapping[str, str] | None = None
    if isinstance(refusal, Invalid):
        errors = refusal.fields
    elif isinstance(refusal, Conflict) and refusal.field:
        errors = {refusal.field: str(refusal)}
    if isinstance(refusal, TooMany):
        seconds = refusal.retry_after
        return problem(429, refusal.kind, str(refusal), headers={"Retry-After": str(seconds)}, retryAfter=seconds)
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return problem(refusal.status, refusal.kind, str(refusal), errors=errors, headers=headers)


def _flat(messages: Any, path: str = "") -> dict[str, str]:
    """webargs' nested messages as ``{"forwarding.onBusy": "…"}``."""
    if isinstance(messages, Mapping):
        flat: dict[str, str] = {}
        for key, value in messages.items():
            part = "" if path == "" and key in ("json", "query", "form", "path", "headers") else str(key)
            flat |= _flat(value, ".".join(p for p in (path, part) if p))
        return flat
    text = " ".join(str(m) for m in messages) if isinstance(messages, list) else str(messages)
    return {path or "body": text}


def of_http(error: HTTPException) -> Response:
    """The problem that an HTTP error is; webargs' 422 becomes the contract's 400."""
    messages = getattr(error, "data", {}).get("messages") if isinstance(getattr(error, "data", None), dict) else None
    if messages:
        errors = _flat(messages)
        name, text = next(iter(errors.items()))
        return problem(400, "validation-error", f"{name}: {text}", errors=errors)
    status = error.code or 500
    headers = {k: v for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")}
    return problem(
        status, TITLES.get(status, "error").lower().replace(" ", "-"), error.description or "", headers=headers
    )


def init_app(app: Flask) -> None:
    """Answer every error below ``/api/`` as a problem document."""
    app.extensions["pbxweb.problems"] = (of_refusal, of_http)
