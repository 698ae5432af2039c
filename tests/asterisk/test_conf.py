"""Values become text that Asterisk reads as themselves, or are refused."""

from __future__ import annotations

import dataclasses

import pytest
from jinja2 import UndefinedError

from pbxweb.asterisk import conf
from pbxweb.asterisk.conf import ConfValueError, marker_of, reload_of, render, with_marker
from pbxweb.extensions.conf import ExtensionConf, pieces, pieces_of
from pbxweb.settings import Settings
from pbxweb.system.conf import FILES, TONE_ZONES, BaseConf, base_pieces
from tests.asterisk.pbx import extension


def _base(**fields: object) -> BaseConf:
    return dataclasses.replace(BaseConf.of(Settings(), ami_secret="secret"), **fields)  # type: ignore[arg-type]


def _from_string(source: str, **values: object) -> str:
    return conf.environment().from_string(source).render(values)


def test_an_option_keeps_a_semicolon() -> None:
    assert _from_string("a = {{ v }}", v=r"x;y\;z") == r"a = x\;y\\;z"


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "a\x1b[0m", " a", "a ", "x" * 9000])
@pytest.mark.parametrize("place", ["a = {{ v }}", "[{{ v }}]", "exten => 1,1,NoOp({{ v }})", "a = {{ v | quoted }}"])
def test_line_breaks_and_control_characters_are_refused_everywhere(place: str, bad: str) -> None:
    with pytest.raises(ConfValueError):
        _from_string(place, v=bad)


@pytest.mark.parametrize("bad", ["${SHELL(id)}", "$[1+1]", "a,b", "a)b", "a;b", 'a"b', "a\\b", "a&b", "a|b", "{", "^"])
@pytest.mark.parametrize("line", ["exten => 1,1,NoOp({{ v }})", " same => n,NoOp({{ v }})", "exten=>{{ v }},1,NoOp()"])
def test_the_dialplan_takes_no_value_that_could_mean_something(line: str, bad: str) -> None:
    with pytest.raises(ConfValueError):
        _from_string(line, v=bad)


@pytest.mark.parametrize("bad", ["a]b", "a](+)", "", "a b", "[", "ä"])
def test_a_section_has_a_plain_name(bad: str) -> None:
    with pytest.raises(ConfValueError):
        _from_string("[{{ v }}]", v=bad)


def test_the_place_counts_even_behind_blocks_and_for_filtered_values() -> None:
    source = "{% for v in vs %}\nexten => {{ v }},1,NoOp({{ v | upper }})\n{% endfor %}\nname = {{ vs | join(';') }}\n"
    assert _from_string(source, vs=["1", "2"]) == ("exten => 1,1,NoOp(1)\nexten => 2,1,NoOp(2)\nname = 1\\;2\n")


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        _from_string("a = {{ nothing }}")


def test_other_kinds_of_values_are_refused() -> None:
    with pytest.raises(ConfValueError):
        _from_string("a = {{ v }}", v=None)
    assert _from_string("a = {{ v }} {{ w }}", v=True, w=5) == "a = yes 5"


def test_equal_phones_give_the_same_text_object() -> None:
    assert pieces_of(extension("200"))[0].text is pieces_of(extension("200"))[0].text


def test_a_phone_is_these_lines() -> None:
    phone = ExtensionConf(
        "200", 'Anna "A;" Müller', "0" * 32, codecs=("g722", "pcma"), transport="tls", max_contacts=2, max_calls=3,
        ring_seconds=20, language="de", pickup_group="house",
    )  # fmt: skip
    pjsip, dialplan = (piece.text for piece in pieces_of(phone))
    assert pjsip == (
        "\n[200](pbxweb-phone)\n"
        'callerid = "Anna \\"A\\;\\" Müller" <200>\n'
        "allow = g722,alaw\n"
        "auth = 200\n"
        "aors = 200\n"
        "language = de\n"
        "device_state_busy_at = 3\n"
        "named_call_group = house\n"
        "named_pickup_group = house\n"
        "transport = transport-tls\n"
        "media_encryption = sdes\n"
        "\n[200](pbxweb-auth)\n"
        "username = 200\n"
        "realm = pbxweb\n"
        "password_digest = MD5:00000000000000000000000000000000\n"
        "\n[200](pbxweb-aor)\n"
        "max_contacts = 2\n"
    )
    assert dialplan == "exten => 200,hint,PJSIP/200&Custom:DND200\nexten => 200,1,Gosub(pbxweb-ring,${EXTEN},1(20))\n"


def test_a_phone_that_is_switched_off_is_not_there() -> None:
    assert pieces_of(extension("200", enabled=False)) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "2"), ("number", "700"), ("number", "2a"), ("number", "٢٠٠"), ("display_name", "a\nb"),
        ("display_name", "ä" * 40), ("digest", "secret"), ("codecs", ()), ("codecs", ("gsm",)),
        ("codecs", ("pcma", "pcma")), ("transport", "sctp"), ("max_contacts", 0), ("max_calls", 0),
        ("ring_seconds", 4), ("language", "deu"), ("pickup_group", "a,b"), ("realm", ""),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfValueError) as error:
        dataclasses.replace(extension("200"), **{field: value})  # type: ignore[arg-type]
    assert error.value.field == field


def test_every_base_file_has_a_section_and_ends_with_a_line_end() -> None:
    for piece in base_pieces(_base()):
        assert "\n[" in "\n" + piece.text, piece.file
        assert piece.text.endswith("\n"), piece.file
    assert {piece.file for piece in base_pieces(_base())} == set(FILES)


def test_only_transports_and_the_start_need_a_restart() -> None:
    assert {file for file in FILES if reload_of(file) == "restart"} == {
        "asterisk.conf", "modules.conf", "pjsip_transports.conf", "ccss.conf", "pjproject.conf", "udptl.conf",
    }  # fmt: skip


def test_every_tone_zone_is_defined() -> None:
    text = render("system/indications.conf.j2", c=_base())
    assert all(f"\n[{zone}]\n" in text for zone in TONE_ZONES)


def test_a_marker_changes_with_the_text_and_is_found_again() -> None:
    one, other = with_marker("pjsip.conf", "[a]\n"), with_marker("pjsip.conf", "[b]\n")
    marker = marker_of("pjsip.conf", one)
    assert marker is not None
    assert marker.value in one
    assert marker != marker_of("pjsip.conf", other)
    assert with_marker("rtp.conf", "[general]\n") == "[general]\n"
    assert marker_of("rtp.conf", "[general]\n") is None
    assert marker_of("pjsip.conf", "[general]\n") is None


def test_no_password_lies_in_the_files() -> None:
    texts = "".join(piece.text for piece in pieces([extension("200")]))
    assert "secret-200" not in texts
    assert "\npassword =" not in texts
