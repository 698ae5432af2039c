"""What a phone needs to sign in: where we are as the phone sees us, and codes that softphones scan."""

from __future__ import annotations

import io
import ipaddress
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from typing import Generic, TypeVar
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from pbxweb.extensions.models import Extension, Transport
from pbxweb.settings import Settings

# Addresses of RFC 5737 and RFC 3849, for documentation: asking for the way to them sends nothing.
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
GOOD_FOR = 600.0
FETCHES = 3
MOST_KEPT = 1000


@dataclass(frozen=True)
class SignIn:
    """The fields of a phone's own sign-in page. ``password`` is None where it is not shown."""

    number: str
    name: str
    server: str
    ports: dict[str, int]
    transport: str
    password: str | None = None

    @property
    def best(self) -> str:
        """The transport to choose in the phone."""
        return Transport.UDP.value if self.transport == Transport.ANY else self.transport

    @property
    def port(self) -> int:
        """The port that belongs to it."""
        return self.ports[self.best]

    @property
    def address(self) -> str:
        """``server:port`` as most phones want it."""
        host = f"[{self.server}]" if ":" in self.server else self.server
        return f"{host}:{self.port}"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def is_local(host: str) -> bool:
    """Does ``host`` (of an URL) mean "this very machine", which no other device can use?"""
    found = _ip(host)
    return host == "localhost" or host.endswith(".localhost") or (found is not None and found.is_loopback)


def outgoing_address() -> str:
    """The address of this machine on the way to others; ``127.0.0.1`` without a network."""
    for family, target in ELSEWHERE:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
                return str(probe.getsockname()[0])
            except OSError:
                continue
    return "127.0.0.1"


def server_for(host: str, settings: Settings) -> str:
    """The address that a phone shall use, for a browser that reached us as ``host`` (without port).

    What SIP is bound to, when that is one address; else the browser's own word when it is an address that others can
    use too; else the address of this machine's way out.
    """
    bound = _ip(settings.sip_bind.host)
    if bound is not None and not bound.is_unspecified:
        return str(bound)
    seen = _ip(host)
    if seen is not None and not seen.is_loopback and not seen.is_unspecified:
        return str(seen)
    return outgoing_address()


def sign_in(row: Extension, host: str, settings: Settings, password: str | None = None) -> SignIn:
    """The sign-in data of a phone for a browser that reached us as ``host``."""
    ports = {"udp": settings.sip_bind.port, "tcp": settings.sip_bind.port, "tls": settings.sip_tls_port}
    server = server_for(host, settings)
    return SignIn(row.number, row.display_name, server, ports, row.transport, password)


def grandstream(data: SignIn) -> str:
    """The text that the app Grandstream Wave scans: a whole account as XML."""
    fields = {
        "RegisterServer": data.address,
        "OutboundServer": "",
        "UserID": data.number,
        "AuthID": data.number,
        "AuthPass": data.password or "",
        "AccountName": data.number,
        "DisplayName": data.name,
        "Transport": data.best.upper(),
    }
    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="utf-8"?><AccountConfig version="1"><Account>{body}</Account></AccountConfig>'


def linphone(data: SignIn) -> str:
    """The configuration that Linphone fetches from the address in its code."""
    place = f"<sip:{data.address};transport={data.best}>"
    sections = {
        # Fetched once: the address is not good for a second time.
        "misc": {"transient_provisioning": "1"},
        "sip": {"default_proxy": "0", "media_encryption": "srtp" if data.best == "tls" else "none"},
        "proxy_0": {
            "reg_proxy": place,
            "reg_identity": f'"{_plain(data.name)}" <sip:{data.number}@{data.address}>',
            "reg_sendregister": "1",
            "reg_expires": "300",
            "publish": "0",
        },
        "auth_info_0": {
            "username": data.number,
            "userid": data.number,
            "passwd": data.password or "",
            "realm": "pbxweb",
            "domain": data.server,
        },
    }
    body = "".join(
        f"<section name={quoteattr(section)}>"
        + "".join(
            f'<entry name={quoteattr(name)} overwrite="true">{escape(value)}</entry>' for name, value in entries.items()
        )
        + "</section>"
        for section, entries in sections.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">{body}</config>'
    )


def _plain(name: str) -> str:
    return name.replace("\\", "").replace('"', "'")


def qr(text: str, label: str) -> Markup:
    """``text`` as a QR code: an SVG element for the page, black on white in both themes, read out as ``label``."""
    import segno

    out = io.BytesIO()
    code = segno.make(text, error="l", micro=False)
    code.save(out, kind="svg", xmldecl=False, svgns=True, border=4, light="#fff", svgclass="qr", omitsize=True)
    head, _gap, rest = out.getvalue().decode().partition(" ")
    return Markup('{} role="img" aria-label="{}" {}').format(Markup(head), label, Markup(rest))  # noqa: S704 - segno's own


T = TypeVar("T")


@dataclass
class _Kept(Generic[T]):
    value: T
    until: float
    left: int


class OneTime(Generic[T]):
    """Something on its way to a page or an app, by a secret in its address: in memory, for ten minutes."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept[T]] = {}
        self._lock = threading.Lock()

    def put(self, value: T, times: int = 1) -> str:
        """Keep ``value`` for ``times`` looks. Out: the secret to ask with."""
        token = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._lock:
            kept = [(name, one) for name, one in self._kept.items() if one.until > now]
            self._kept = dict(kept[-MOST_KEPT:])
            self._kept[token] = _Kept(value, now + GOOD_FOR, times)
        return token

    def take(self, token: str) -> T | None:
        """What was kept under ``token``; None when it was taken often enough, is too old or was never there."""
        with self._lock:
            kept = self._kept.get(token)
            if kept is None or kept.until < time.monotonic():
                return None
            kept.left -= 1
            if kept.left <= 0:
                del self._kept[token]
            return kept.value
