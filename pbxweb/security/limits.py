"""Rate limits: one counter for a request, chosen by its route.

Every API request counts for its user (or address, while nobody is signed in). A route marked ``@limited("login")``
counts for the address, pages and API together; ``"calls"`` and ``"password"`` count for the user.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from limits.storage import Storage

from pbxweb.security.errors import TooMany
from pbxweb.security.identity import current_actor, is_api
from pbxweb.settings import Settings

View = TypeVar("View", bound=Callable[..., Any])
Kind = Literal["login", "password", "calls", "api"]

_MARK = "__pbxweb_limit__"
_PRUNE_EVERY = 1024


class Counters(Storage):
    """Counters of this process. Unlike the library's own memory storage it starts no thread."""

    STORAGE_SCHEME = ["pbxweb"]  # noqa: RUF012 - the library reads it from the class

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._hits = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing that this storage does can fail by itself."""
        return OSError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count ``amount`` more for ``key``; a new window lasts ``expiry`` seconds. Out: the window's count."""
        now = time.time()
        with self._lock:
            self._hits += 1
            if self._hits % _PRUNE_EVERY == 0:
                self._counts = {k: v for k, v in self._counts.items() if v[1] > now}
            count, end = self._counts.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + expiry
            self._counts[key] = (count + amount, end)
            return count + amount

    def get(self, key: str) -> int:
        """The count of the current window."""
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the current window ends, in seconds since 1970."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Always at hand."""
        return True

    def reset(self) -> int | None:
        """Forget everything. Out: how many counters there were."""
        with self._lock:
            number = len(self._counts)
            self._counts.clear()
        return number

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._lock:
            self._counts.pop(key, None)


def limited(kind: Literal["login", "password", "calls"]) -> Callable[[View], View]:
    """Decorate a view or an API method: it counts against ``kind``'s limit instead of the API's.

    On pages only requests that send something (not GET) are counted.
    """

    def decorate(view: View) -> View:
        setattr(view, _MARK, kind)
        return view

    return decorate


def address() -> str:
    """Where the request comes from, as a limit sees it: an IPv4 address, or the /64 of an IPv6 one."""
    text = request.remote_addr or ""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return text or "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return text


def _kind() -> Kind | None:
    view: Any = current_app.view_functions.get(request.endpoint or "")
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        view = getattr(view_class, request.method.lower(), view)
    kind: Kind | None = getattr(view, _MARK, None)
    if is_api():
        return kind or "api"
    return kind if request.method not in ("GET", "HEAD", "OPTIONS") else None


def _key() -> str:
    if _kind() == "login":
        return address()
    actor = current_actor()
    return actor.user_id if actor and actor.user_id else address()


def _amount() -> str:
    settings: Settings = current_app.extensions["pbxweb.settings"]
    kind = _kind()
    if kind in ("login", "password"):
        return settings.rate_login
    return settings.rate_calls if kind == "calls" else settings.rate_api


def _refuse(limit: RequestLimit) -> None:
    from flask_babel import ngettext

    seconds = max(1, int(limit.reset_at - time.time()))
    raise TooMany(
        ngettext(
            "Too many attempts. Please try again in %(num)d second.",
            "Too many attempts. Please try again in %(num)d seconds.",
            seconds,
        ),
        seconds,
    )


def _only_when_refused(response: Response) -> Response:
    if response.status_code != 429:
        response.headers.pop("Retry-After", None)
    return response


def init_app(app: Flask, settings: Settings) -> None:  # noqa: ARG001 - the same shape as its neighbours
    """Count the requests of ``app``. Answers carry X-RateLimit-Limit, -Remaining and -Reset where they are counted.

    A request beyond its limit raises TooMany before the view runs.
    """
    app.after_request(_only_when_refused)
    limiter = Limiter(
        _key,
        application_limits=[
            ApplicationLimit(
                limit_provider=_amount,
                key_function=_key,
                scope=lambda _endpoint: _kind() or "",
                exempt_when=lambda: _kind() is None,
            )
        ],
        headers_enabled=True,
        storage_uri="pbxweb://",
        strategy="fixed-window",
        on_breach=_refuse,
    )
    limiter.init_app(app)
