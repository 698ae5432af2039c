"""What every answer carries besides its content: the browser's orders for safety, and gzip for text."""

from __future__ import annotations

import io
import secrets
import zlib
from gzip import GzipFile
from typing import Any

from flask import Response, request

from pbxweb.settings import Settings

CSP = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'{sockets}",
        "font-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(self), payment=(), usb=()"
PACK_FROM = 1024
PACKABLE = ("text/html", "text/plain", "text/csv", "application/json", "application/problem+json")


def _csp() -> str:
    # Safari counts WebSockets to the page's own host as foreign to 'self'.
    scheme = "wss" if request.is_secure else "ws"
    return CSP.format(sockets=f" {scheme}://{request.host}" if _plain(request.host) else "")


def _plain(host: str) -> bool:
    return bool(host) and all(c.isalnum() or c in ".-:[]" for c in host)


def _pack(body: bytes) -> bytes:
    # A random file name in the head hides the exact length, from which a token in the page could be guessed.
    buffer = io.BytesIO()
    with GzipFile(
        filename="x" * secrets.randbelow(64), mode="wb", compresslevel=zlib.Z_BEST_SPEED + 2, fileobj=buffer, mtime=0
    ) as file:
        file.write(body)
    return buffer.getvalue()


def pack(response: Response) -> Response:
    """``response`` with its text packed, where the browser takes that and it is long enough to matter."""
    if (
        response.mimetype not in PACKABLE
        or response.direct_passthrough
        or response.is_streamed
        or response.status_code in (204, 304)
        or "Content-Encoding" in response.headers
        or not request.accept_encodings.quality("gzip")
    ):
        return response
    body = response.get_data()
    if len(body) < PACK_FROM:
        return response
    response.set_data(_pack(body))
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    etag, weak = response.get_etag()
    if etag and not weak:
        response.set_etag(etag, weak=True)
    return response


def init_app(app: Any, settings: Settings) -> None:
    """Add the headers to every answer of ``app``."""

    def secure(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        if response.mimetype == "text/html":
            headers.setdefault("Content-Security-Policy", _csp())
            headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
            headers.setdefault("X-Frame-Options", "DENY")
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            headers.setdefault("Cache-Control", "no-store")
        elif "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        if settings.https or request.is_secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response

    app.after_request(secure)
    app.after_request(pack)
