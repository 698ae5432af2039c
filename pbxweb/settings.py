"""Where pbxweb lives and listens: one frozen Settings, read once at the start.

Values come from the environment (``PBXWEB_HOME``), else from the TOML file named by ``PBXWEB_CONFIG``
(``home = "…"`` at its top level), else from the default. A bad value stops the start and names itself.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


class SettingError(ValueError):
    """A setting cannot be used; the text names the setting and the fix."""


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class PortRange:
    """An inclusive range of UDP ports."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Settings:
    """Everything that is decided outside the web pages. Every field is described in ``docs/handbook/settings.md``."""

    home: Path = CHECKOUT / "var"
    http: Address = Address("127.0.0.1", 8090)
    sip_bind: Address = Address("0.0.0.0", 5060)  # noqa: S104 - phones on the LAN must reach it
    sip_tls_port: int = 5061
    rtp: PortRange = PortRange(10000, 10099)
    ami_port: int = 5038
    engine: str = "private"
    engine_dir: Path = CHECKOUT / "var" / "engine"
    apt_mirror: str = ""
    rate_login: str = "5/minute"
    rate_api: str = "100/minute"
    rate_calls: str = "30/minute"
    https: bool = False
    trusted_proxies: int = 0
    session_idle_minutes: int = 60
    session_hours: int = 12
    threads: int = 24
    log_level: str = "INFO"

    @property
    def database(self) -> Path:
        """pbxweb's own SQLite file."""
        return self.home / "pbxweb.sqlite3"

    @property
    def secrets(self) -> Path:
        """Folder (0700) of the secrets made on this device."""
        return self.home / "secrets"

    @property
    def asterisk(self) -> Path:
        """Folder of the Asterisk instance: ``etc run lib log spool data keys`` below it."""
        return self.home / "asterisk"

    @property
    def asterisk_etc(self) -> Path:
        """The folder of rendered files that Asterisk reads."""
        return self.asterisk / "etc"

    @property
    def cdr_database(self) -> Path:
        """SQLite file into which Asterisk writes its call detail records (it insists on the ending .db)."""
        return self.asterisk / "log" / "cdr.db"

    @property
    def cel_database(self) -> Path:
        """SQLite file into which Asterisk writes its channel events."""
        return self.asterisk / "log" / "cel.db"

    @property
    def url(self) -> str:
        """The address to print and to open on this machine."""
        return f"http://{self.http}"


ENVIRONMENT = {field.name: f"PBXWEB_{field.name.upper()}" for field in fields(Settings)}


def _address(name: str, text: str) -> Address:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})", text.strip())
    if not match:
        raise SettingError(f"{name}={text!r}: write address:port, for example 0.0.0.0:5060")
    host = match[1] or match[2]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise SettingError(f"{name}={text!r}: {host!r} is not an IP address of this machine") from None
    return Address(host, _port(name, match[3]))


def _port(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= 65535:
        raise SettingError(f"{name}={text!r}: a port is a number from 1 to 65535")
    return int(text)


def _range(name: str, text: str) -> PortRange:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text.strip())
    if not match:
        raise SettingError(f"{name}={text!r}: write first-last, for example 10000-10099")
    first, last = _port(name, match[1]), _port(name, match[2])
    if last - first < 3:
        raise SettingError(f"{name}={text!r}: a call needs four ports, so give at least four")
    return PortRange(first, last)


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text):
        raise SettingError(f"{name}={text!r}: write a whole number")
    return int(text)


def _rate(name: str, text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,8}/(second|minute|hour|day)", text):
        raise SettingError(f"{name}={text!r}: write it like 100/minute")
    return text


def _flag(name: str, text: str) -> bool:
    flags = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if text.lower() not in flags:
        raise SettingError(f"{name}={text!r}: write yes or no")
    return flags[text.lower()]


def _parse(field: str, text: str) -> Any:  # noqa: PLR0911 - one line a kind
    name = ENVIRONMENT[field]
    default = getattr(Settings, field)
    if field == "engine":
        if text not in ("private", "system"):
            raise SettingError(f"{name}={text!r}: write private or system")
        return text
    if field == "log_level":
        if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise SettingError(f"{name}={text!r}: write DEBUG, INFO, WARNING or ERROR")
        return text.upper()
    if field == "apt_mirror":
        return text
    if field.startswith("rate_"):
        return _rate(name, text)
    if field.endswith("_port"):
        return _port(name, text)
    if isinstance(default, Path):
        return Path(text).expanduser().resolve()
    if isinstance(default, Address):
        return _address(name, text)
    if isinstance(default, PortRange):
        return _range(name, text)
    if isinstance(default, bool):
        return _flag(name, text)
    return _number(name, text)


def _toml(path: Path) -> dict[str, str]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingError(f"PBXWEB_CONFIG={str(path)!r}: there is no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"PBXWEB_CONFIG={str(path)!r}: not valid TOML: {error}") from None
    unknown = sorted(set(data) - set(ENVIRONMENT))
    if unknown:
        raise SettingError(f"PBXWEB_CONFIG={str(path)!r}: unknown setting {unknown[0]!r}")
    return {key: str(value) for key, value in data.items()}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    In: the environment (default: ``os.environ``). Out: a frozen Settings.
    Raises SettingError, whose text names the setting, the value and the fix; an unknown ``PBXWEB_…`` variable
    is refused too, so that a typing error is not silently a default.
    """
    environ = os.environ if environ is None else environ
    known = {*ENVIRONMENT.values(), "PBXWEB_CONFIG"}
    for name in sorted(environ):
        if name.startswith("PBXWEB_") and name not in known:
            raise SettingError(f"{name}: there is no such setting")
    given = _toml(Path(environ["PBXWEB_CONFIG"]).expanduser()) if environ.get("PBXWEB_CONFIG") else {}
    given |= {field: environ[name] for field, name in ENVIRONMENT.items() if environ.get(name)}
    return Settings(**{field: _parse(field, text) for field, text in given.items()})
