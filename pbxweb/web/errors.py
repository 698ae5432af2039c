"""What a person sees when something cannot be done: plain words and the way back. The API answers problems."""

from __future__ import annotations

import logging
from typing import Any

from flask import current_app, flash, g, make_response, render_template, request
from flask_babel import gettext, lazy_gettext
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from pbxweb.security.errors import Refused
from pbxweb.security.identity import is_api
from pbxweb.web.pages import wants_fragment

log = logging.getLogger(__name__)

TITLES = {
    400: lazy_gettext("This request could not be understood"),
    403: lazy_gettext("You may not do this"),
    404: lazy_gettext("This page does not exist"),
    405: lazy_gettext("This page cannot be used like that"),
    409: lazy_gettext("This clashes with something that exists"),
    413: lazy_gettext("This file is too large"),
    422: lazy_gettext("This could not be done"),
    429: lazy_gettext("Too many attempts"),
    500: lazy_gettext("Something went wrong here"),
    503: lazy_gettext("This is not possible right now"),
}
TEXTS = {
    400: lazy_gettext("Go back, reload the page and try again."),
    403: lazy_gettext("Your role does not allow this. Ask your administrator if you need it."),
    404: lazy_gettext("It may have been moved or deleted. The menu takes you to everything there is."),
    405: lazy_gettext("Go back and use the buttons of the page."),
    413: lazy_gettext("Choose a smaller file and send it again."),
    429: lazy_gettext("Wait a minute, then try again."),
    500: lazy_gettext("The error was written to the log. Calls are not affected. Try again in a moment."),
    503: lazy_gettext("A part that is needed does not answer. Nothing was changed. Try again in a moment."),
}


def error_page(status: int, text: Any = "", *, headers: Any = None) -> Any:
    """The page for ``status``; ``text`` says what happened (default: a general sentence).

    htmx gets a toast instead of a page and leaves what it shows as it is.
    """
    known = status if status in TITLES else (500 if status >= 500 else 400)
    shown = {"status": status, "title": TITLES[known], "text": text or TEXTS.get(known, "")}
    if wants_fragment():
        response = make_response(render_template("errors/toast.html", **shown), status)
        response.headers["HX-Reswap"] = "none"
    else:
        response = make_response(render_template("errors/error.html", **shown), status)
    for name, value in headers or []:
        response.headers[name] = value
    return response


def refused(refusal: Refused) -> Any:
    """The answer to a refusal that no view has put into its form: a problem for the API, else a page."""
    if is_api():
        return current_app.extensions["pbxweb.problems"][0](refusal)
    seconds = getattr(refusal, "retry_after", None)
    return error_page(refusal.status, str(refusal), headers=[("Retry-After", str(seconds))] if seconds else None)


def _http(error: HTTPException) -> Any:
    if error.response is not None or (error.code or 500) < 400:
        return error
    if is_api():
        return current_app.extensions["pbxweb.problems"][1](error)
    kept = [(k, v) for k, v in error.get_headers() if k.lower() in ("allow", "retry-after")]
    return error_page(error.code or 500, headers=kept)


def _crashed(error: Exception) -> Any:
    log.exception("%s %s failed", request.method, request.path, exc_info=error)
    g.pop("_flashes", None)
    if is_api():
        return current_app.extensions["pbxweb.problems"][1](InternalServerError())
    try:
        return error_page(500)
    except Exception:
        log.exception("the error page failed too")
        text = gettext("Something went wrong here. The error was written to the log. Calls are not affected.")
        return make_response(text, 500, {"Content-Type": "text/plain; charset=utf-8"})


def refused_toast(refusal: Refused) -> None:
    """Say on the next page why something was refused."""
    flash(str(refusal), "danger")


def init_app(app: Any) -> None:
    """Answer errors of ``app`` in plain words."""
    app.register_error_handler(Refused, refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RequestEntityTooLarge, _http)
    app.register_error_handler(Exception, _crashed)
