"""What belongs to every page and to no feature: static files, language, theme, and the question before a loss."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from pbxweb.security.errors import Refused
from pbxweb.security.guard import public
from pbxweb.security.identity import current_actor
from pbxweb.web import assets
from pbxweb.web.languages import COOKIE as LANGUAGE_COOKIE
from pbxweb.web.languages import LANGUAGES
from pbxweb.web.pages import page, safe_target
from pbxweb.web.theme import COOKIE as THEME_COOKIE
from pbxweb.web.theme import THEMES

YEAR = 365 * 24 * 3600


def _remember(cookie: str, value: str) -> AnyResponse:
    response = redirect(safe_target(request.form.get("next")), 303)
    response.set_cookie(cookie, value, max_age=YEAR, secure=request.is_secure, httponly=True, samesite="Lax")
    return response


def blueprint() -> Blueprint:
    """The pages' own blueprint, named ``web``."""
    views = Blueprint("web", __name__)

    @views.get("/static/<path:path>")
    @public
    def static(path: str) -> Response:
        return assets.serve(path)

    @views.get("/favicon.ico")
    @public
    def favicon() -> Response:
        return assets.serve("img/favicon.svg")

    @views.post("/language")
    @public
    def language() -> AnyResponse:
        choice = request.form.get("language", "")
        if choice not in LANGUAGES:
            choice = "en"
        actor = current_actor()
        if actor is not None:
            for save in current_app.extensions["pbxweb.web.on_language"]:
                save(actor, choice)
        return _remember(LANGUAGE_COOKIE, choice)

    @views.post("/theme")
    @public
    def theme() -> AnyResponse:
        choice = request.form.get("theme", "")
        return _remember(THEME_COOKIE, choice if choice in THEMES else "auto")

    @views.post("/confirm")
    @public
    def confirm() -> AnyResponse:
        """The page that asks first, where the browser runs no JavaScript: see the macro ``confirm_button``."""
        form = request.form
        url = form.get("confirm_url", "")
        if safe_target(url) != url:
            from flask_babel import gettext

            raise Refused(gettext("This question is incomplete. Go back and press the button again."))
        return page(
            "web/confirm.html",
            url=url,
            message=form.get("confirm_message", "")[:1000],
            label=form.get("confirm_label", "")[:100],
            back=safe_target(form.get("confirm_back")),
            extra=[(k, v) for k, v in form.items(multi=True) if not k.startswith("confirm_") and k != "csrf_token"],
        )

    return views
