"""Forms that only our own pages can send: a token of this visit in every request that changes something.

The API is left out because it never looks at a cookie.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import CSRFError, CSRFProtect

from pbxweb.security.errors import StaleForm
from pbxweb.security.identity import current_actor, is_api
from pbxweb.settings import Settings


class Cookie(SecureCookieSessionInterface):
    """The one cookie of a visit: HttpOnly, SameSite=Lax, and ``__Host-`` with Secure wherever HTTPS is used.

    Its name differs between instances, because cookies are shared by all ports of a host.
    """

    def __init__(self, instance: str, https: bool) -> None:
        self._name = f"pbxweb_{instance}"
        self._https = https

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        """Secure when the device is reached by HTTPS, or this request was."""
        return self._https or request.is_secure

    def get_cookie_name(self, app: Flask) -> str:
        """``__Host-…`` binds a secure cookie to this very host."""
        return f"__Host-{self._name}" if self.get_cookie_secure(app) else self._name

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Pages alone know a visit: what the API and the static files answer does not vary with its cookie."""
        if not is_api() and not request.path.startswith("/static/"):
            super().save_session(app, session, response)


def _protect(csrf: Any) -> None:
    if is_api() or not request.endpoint:
        return
    try:
        csrf.protect()
    except CSRFError:
        from flask_babel import gettext

        current_actor()  # so that the answer is in the person's language
        raise StaleForm(
            gettext("This form has expired. Nothing was changed. Go back, reload the page and send it again.")
        ) from None


def init_app(app: Flask, settings: Settings) -> None:
    """Set up the visit's cookie, and refuse (StaleForm) page requests that change something without a token."""
    key = app.secret_key if isinstance(app.secret_key, bytes) else str(app.secret_key).encode()
    app.session_interface = Cookie(sha256(b"cookie" + key).hexdigest()[:8], settings.https)
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=settings.session_hours * 3600,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    csrf = CSRFProtect(app)
    app.before_request(lambda: _protect(csrf))
