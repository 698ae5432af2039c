"""Secrets of this device: made here, kept in 0600 files, and used to seal what must be read back later."""

from __future__ import annotations

import base64
import secrets
import string
import threading
from pathlib import Path

from sqlalchemy import String, TypeDecorator
from sqlalchemy.engine import Dialect

from pbxweb.storage.files import private_folder, write_atomic

# No letters that are taken for digits when a person types a password into a phone.
READABLE = "".join(c for c in string.ascii_letters + string.digits if c not in "0O1lI")
_lock = threading.Lock()


class SealError(ValueError):
    """A sealed value does not belong to this device's key or was altered."""


class Vault:
    """The secrets folder of one instance (``Settings.secrets``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[str, bytes] = {}

    def secret(self, name: str, size: int = 32) -> bytes:
        """The secret ``name``: ``size`` random bytes, made at the first call and the same ever after."""
        with _lock:
            if name not in self._cache:
                path = private_folder(self._folder) / name
                if not path.exists():
                    write_atomic(path, base64.b64encode(secrets.token_bytes(size)))
                self._cache[name] = base64.b64decode(path.read_bytes(), validate=True)
            return self._cache[name]

    def text(self, name: str) -> str:
        """The secret ``name`` as URL-safe text (for AMI, cookies)."""
        return base64.urlsafe_b64encode(self.secret(name)).decode().rstrip("=")

    def seal(self, plain: str, purpose: str) -> str:
        """``plain`` encrypted (AES-256-GCM) and bound to ``purpose``; safe to store."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self.secret("master.key")).encrypt(nonce, plain.encode(), purpose.encode())
        return "v1:" + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str) -> str:
        """The text that ``seal`` was given. Raises SealError when it is not ours or for another purpose."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            version, _, body = sealed.partition(":")
            if version != "v1":
                raise SealError("unknown seal version")
            raw = base64.b64decode(body, validate=True)
            return AESGCM(self.secret("master.key")).decrypt(raw[:12], raw[12:], purpose.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealError("a sealed value cannot be opened with this device's key") from error


def generate_password(length: int = 16) -> str:
    """A random password of letters and digits that a person can copy without doubt."""
    return "".join(secrets.choice(READABLE) for _ in range(length))


class Sealed(TypeDecorator[str]):
    """A text column that is encrypted at rest; ``purpose`` keeps a value from being moved to another column."""

    impl = String
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else _vault().seal(value, self.purpose)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else _vault().open(value, self.purpose)


def _vault() -> Vault:
    from flask import current_app

    vault: Vault = current_app.extensions["pbxweb.vault"]
    return vault
