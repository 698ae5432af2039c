"""A page, a fragment of it, and a form that was refused: the three answers that views give."""

from __future__ import annotations

from typing import Any

from flask import flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response


def wants_fragment() -> bool:
    """Does htmx ask for a part only (not for a whole page through hx-boost or its history)?"""
    headers = request.headers
    return bool(headers.get("HX-Request")) and not (
        headers.get("HX-Boosted") or headers.get("HX-History-Restore-Request")
    )


def page(template: str, *, part: str | None = None, status: int = 200, **context: Any) -> Response:
    """The page ``template``; htmx gets ``part`` (a fragment's template, the page includes the same) instead.

    In: template names below ``templates/``, the status and what they show.
    """
    name = part if part and wants_fragment() else template
    response = make_response(render_template(name, **context), status)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def fragment(template: str, **context: Any) -> Response:
    """A fragment alone."""
    return make_response(render_template(template, **context))


def invalid(template: str, *, part: str | None = None, **context: Any) -> Response:
    """The form again, with its errors and everything the person typed: status 422."""
    return page(template, part=part, status=422, **context)


def safe_target(target: str | None) -> str:
    """``target`` when it is a path of this site, else ``/``. An address that leads elsewhere is never followed."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\") or any(ord(c) < 32 for c in target):
        return "/"
    return target


def done(message: Any, target: str) -> Response:
    """After a form that worked: go on to ``target`` and say ``message`` there."""
    flash(str(message), "success")
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        response = make_response("", 204)
        response.headers["HX-Redirect"] = target
        return response
    return redirect(target, 303)


def take_refusal(form: Any, refusal: Any) -> None:
    """Put a service's refusal into ``form``: each message at its field, the rest above the form.

    ``refusal`` is a ``Refused``; its camelCase field names are matched to the form's snake_case ones.
    """
    import re

    fields = dict(getattr(refusal, "fields", {}))
    if getattr(refusal, "field", ""):
        fields[refusal.field] = str(refusal)
    rest = []
    for name, message in fields.items():
        field = form._fields.get(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
        if field is None:
            rest.append(message)
        else:
            field.errors = [*field.errors, message]
    if not fields:
        rest.append(str(refusal))
    form.form_errors = [*form.form_errors, *rest]
