"""What decides where an instance lives: read once, bad values stop the start and name themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pbxweb.settings import ENVIRONMENT, Address, PortRange, SettingError, Settings, load


def test_without_anything_the_defaults_hold() -> None:
    assert load({}) == Settings()


def test_the_environment_decides(tmp_path: Path) -> None:
    settings = load(
        {
            "PBXWEB_HOME": str(tmp_path),
            "PBXWEB_HTTP": "[::1]:9000",
            "PBXWEB_RTP": "20000-20019",
            "PBXWEB_ENGINE": "system",
            "PBXWEB_HTTPS": "yes",
            "PBXWEB_RATE_API": "1000/minute",
        }
    )
    assert settings.home == tmp_path
    assert settings.http == Address("::1", 9000)
    assert settings.url == "http://[::1]:9000"
    assert settings.rtp == PortRange(20000, 20019)
    assert (settings.engine, settings.https, settings.rate_api) == ("system", True, "1000/minute")


def test_a_toml_file_decides_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "pbxweb.toml"
    file.write_text('ami_port = 6000\nhttp = "127.0.0.1:9001"\n')
    settings = load({"PBXWEB_CONFIG": str(file), "PBXWEB_HTTP": "127.0.0.1:9002"})
    assert (settings.ami_port, settings.http.port) == (6000, 9002)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PBXWEB_HTTP", "8090"),
        ("PBXWEB_HTTP", "example.org:80"),
        ("PBXWEB_HTTP", "127.0.0.1:0"),
        ("PBXWEB_SIP_BIND", "0.0.0.0:99999"),
        ("PBXWEB_RTP", "10000"),
        ("PBXWEB_RTP", "10000-10001"),
        ("PBXWEB_RTP", "20000-10000"),
        ("PBXWEB_AMI_PORT", "x"),
        ("PBXWEB_ENGINE", "docker"),
        ("PBXWEB_RATE_LOGIN", "many"),
        ("PBXWEB_HTTPS", "maybe"),
        ("PBXWEB_THREADS", "-1"),
        ("PBXWEB_LOG_LEVEL", "LOUD"),
        ("PBXWEB_CONFIG", "/nowhere/at/all.toml"),
        ("PBXWEB_HTPP", "127.0.0.1:80"),
    ],
)
def test_a_bad_value_names_itself(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        load({name: value})


@pytest.mark.parametrize("text", ["nonsense = 1", "http = ", "\x00"])
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pbxweb.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=r"pbxweb\.toml"):
        load({"PBXWEB_CONFIG": str(file)})


def test_every_field_has_its_variable() -> None:
    assert set(ENVIRONMENT) == {field.name for field in dataclasses.fields(Settings)}
