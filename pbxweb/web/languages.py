"""Languages and times of the pages: German and English, the person's choice first."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flask import g, has_request_context, request
from flask_babel import Babel, Domain, get_locale

if TYPE_CHECKING:
    from flask import Flask

LANGUAGES = {"en": "English", "de": "Deutsch"}
COOKIE = "language"


def language() -> str:
    """The language of this request: the signed-in person's, else the cookie's, else the browser's, else English."""
    if not has_request_context():
        return "en"
    for choice in (g.get("language"), request.cookies.get(COOKIE)):
        if choice in LANGUAGES:
            return str(choice)
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def timezone() -> str | None:
    """The time zone in which this request shows times; None is the device's own."""
    if not has_request_context():
        return None
    zone: str | None = g.get("timezone")
    return zone or device_zone()


def device_zone() -> str:
    """The device's own time zone by its IANA name; UTC when it has none."""
    from pathlib import Path

    link = Path("/etc/localtime")
    if link.is_symlink():
        name = str(link.resolve()).partition("/zoneinfo/")[2]
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError):
            return "UTC"
    return "UTC"


class _Words(Domain):  # type: ignore[misc]  # the library has no types
    """The project's words; a request looks them up once, because its page asks for hundreds of them."""

    def get_translations(self) -> Any:
        """The catalogue of the reader's language."""
        locale = get_locale()
        if locale is None:
            return super().get_translations()
        known, catalogue = g.get("catalogue", (None, None))
        if known is not locale:
            catalogue = super().get_translations()
            g.catalogue = locale, catalogue
        return catalogue


class _Babel(Babel):  # type: ignore[misc]  # the library has no types
    @cached_property
    def domain_instance(self) -> _Words:
        return _Words(domain=self.domain)


def init_app(app: Flask) -> None:
    """Install Flask-Babel with the project's catalogues (``translations/``)."""
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", str(app.extensions["pbxweb.root"] / "translations"))
    babel = _Babel(app, locale_selector=language, timezone_selector=timezone)

    def words() -> Any:
        return babel.domain_instance.get_translations()

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: words().ugettext(text),
        ngettext=lambda one, many, number: words().ungettext(one, many, number),
        newstyle=True,
    )
    app.jinja_env.globals.update(languages=LANGUAGES, current_language=language)
