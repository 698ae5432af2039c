"""The certificate with which phones speak TLS: made on this device, for its own key."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pbxweb.storage.files import private_folder, write_atomic

if TYPE_CHECKING:
    from cryptography import x509

VALID_DAYS = 3650
RENEW_DAYS = 30


def make_certificate(folder: Path, names: Iterable[str] = ("localhost", "127.0.0.1")) -> tuple[Path, Path]:
    """A self-signed certificate and its key in ``folder`` (0700), as ``(certificate, key)`` in PEM.

    Both are made when absent, broken or within 30 days of their end, else left alone. ``names`` are the host names
    and addresses under which phones reach this machine. Raises OSError when the folder cannot be written.
    """
    certificate, key = private_folder(folder) / "tls.crt", folder / "tls.key"
    if not _usable(certificate, key):
        secret, public = _make(tuple(names))
        write_atomic(key, secret)
        write_atomic(certificate, public, mode=0o644)
    return certificate, key


def _usable(certificate: Path, key: Path) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        secret = load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return False
    left = read.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return secret.public_key() == read.public_key() and left.days > RENEW_DAYS


def _make(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pbxweb")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(pem),
    )


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
