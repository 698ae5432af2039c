"""Secrets are made here, kept from others, and sealed values belong to one device and one purpose."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxweb.storage.secrets import READABLE, SealError, Vault, generate_password


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets")


def test_a_secret_is_made_once_and_readable_by_its_owner_only(vault: Vault, tmp_path: Path) -> None:
    first = vault.secret("ami")
    assert len(first) == 32
    assert Vault(tmp_path / "secrets").secret("ami") == first
    assert Vault(tmp_path / "other").secret("ami") != first
    assert stat.S_IMODE((tmp_path / "secrets" / "ami").stat().st_mode) == 0o600


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain=st.text())
def test_what_is_sealed_opens_again_and_is_not_readable_meanwhile(vault: Vault, plain: str) -> None:
    sealed = vault.seal(plain, "sip")
    assert vault.open(sealed, "sip") == plain
    assert len(plain) < 8 or plain not in sealed


def test_a_seal_is_for_one_purpose_and_one_device(vault: Vault, tmp_path: Path) -> None:
    sealed = vault.seal("secret", "sip")
    with pytest.raises(SealError):
        vault.open(sealed, "trunk")
    with pytest.raises(SealError):
        Vault(tmp_path / "other").open(sealed, "sip")


def test_every_flipped_bit_is_noticed(vault: Vault) -> None:
    raw = base64.b64decode(vault.seal("secret", "sip").removeprefix("v1:"))
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 1
        with pytest.raises(SealError):
            vault.open("v1:" + base64.b64encode(damaged).decode(), "sip")


@pytest.mark.parametrize("text", ["", "v1:", "v2:AAAA", "v1:!!", "plain"])
def test_what_is_no_seal_is_refused(vault: Vault, text: str) -> None:
    with pytest.raises(SealError):
        vault.open(text, "sip")


def test_generated_passwords_can_be_copied_by_hand() -> None:
    passwords = {generate_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(len(p) == 16 and set(p) <= set(READABLE) for p in passwords)
    assert not set("0O1lI") & set(READABLE)
