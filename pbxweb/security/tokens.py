"""Tokens of API clients: JWTs signed with this device's own key.

An access token (15 minutes) names its person and its sign-in; whether both are still good is asked on every request.
A refresh token (7 days) is good for one use; its hash is in the sign-in's row, so an older one betrays a thief.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app

from pbxweb.security.errors import SignInFailed
from pbxweb.security.sessions import REFRESH_DAYS, digest
from pbxweb.storage.database import utcnow
from pbxweb.storage.secrets import Vault

ACCESS_SECONDS = 15 * 60
ALGORITHM = "HS256"


@dataclass(frozen=True)
class Pair:
    """What a client gets: an access token and the refresh token to get the next pair with."""

    access_token: str
    refresh_token: str
    expires_in: int = ACCESS_SECONDS

    @property
    def refresh_hash(self) -> str:
        """What is stored of the refresh token."""
        return digest(self.refresh_token)


@dataclass(frozen=True)
class Claims:
    """What a valid token says: the person's id and the sign-in's id."""

    user_id: str
    sign_in_id: str


def load_library() -> None:
    """Import PyJWT without its public-key algorithms, which nothing here uses and which would keep 8 MB for ever.

    Only while no other thread imports anything.
    """
    if "cryptography" in sys.modules or "jwt" in sys.modules:
        return
    sys.modules["cryptography"] = None  # type: ignore[assignment] # PyJWT goes without it
    try:
        import jwt  # noqa: F401
    finally:
        del sys.modules["cryptography"]


def _key() -> bytes:
    vault: Vault = current_app.extensions["pbxweb.vault"]
    return vault.secret("api.key")


def issue(user_id: str, sign_in_id: str) -> Pair:
    """A fresh pair of tokens for a sign-in."""
    import jwt

    now = utcnow()
    base: dict[str, Any] = {"sub": user_id, "sid": sign_in_id, "iat": now}
    access = {**base, "typ": "access", "exp": now + timedelta(seconds=ACCESS_SECONDS)}
    refresh = {**base, "typ": "refresh", "exp": now + timedelta(days=REFRESH_DAYS), "jti": secrets.token_urlsafe(16)}
    return Pair(jwt.encode(access, _key(), ALGORITHM), jwt.encode(refresh, _key(), ALGORITHM))


def read(token: str, kind: str) -> Claims:
    """What ``token`` says. In: its text and the expected kind, ``access`` or ``refresh``.

    Raises SignInFailed when it is not ours, was altered, is past its time or of the other kind.
    """
    import jwt
    from flask_babel import gettext

    try:
        claims = jwt.decode(token, _key(), [ALGORITHM], options={"require": ["exp", "sub", "sid", "typ"]})
    except (jwt.InvalidTokenError, ValueError):
        claims = {}
    if claims.get("typ") != kind:
        raise SignInFailed(gettext("This token is not valid or no longer valid. Please sign in again."))
    return Claims(str(claims["sub"]), str(claims["sid"]))
