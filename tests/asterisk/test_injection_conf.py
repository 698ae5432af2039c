"""Hostile text in every field: refused by name, or read by a real Asterisk unchanged, and no other line changes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxweb.asterisk.conf import ConfValueError
from pbxweb.extensions.conf import ExtensionConf, pieces_of
from tests.asterisk.pbx import Pbx, extension
from tests.asterisk.sipuser import SipUser

HOSTILE = (
    "Anna Müller",
    'say "hi"',
    "back\\slash",
    "ends with \\",
    '"',
    "\\",
    "a; b",
    ";--",
    r"\;",
    "[general]",
    "](!)",
    "#include passwd",
    "#exec id",
    "exten => 1,1,System(id)",
    "${SHELL(touch pbxweb-was-here)}",
    "${CALLERID(num)}",
    "$[1+1]",
    "<sip:evil@example.org>",
    'x" <666>',
    "a,b|c&d^e",
    "%s%n%41",
    "'; DROP TABLE cdr; --",
    "=> ",
    "مرحبا \u202eabc",
    "😀 emoji 👨‍👩‍👧",
    "status will follow",
    "a  b",
    "+=",
    "(pbxweb-phone)",
    "0",
    "!",
)
PARTS = st.sampled_from(
    [*HOSTILE, "\n", "\r\n", "\0", "\t", "\x7f", "\x85", "\u2028", "; ", "\n[x]\n", "\nexten => _X.,1,System(id)\n"]
)
TEXT = st.one_of(st.text(max_size=60), st.lists(st.one_of(PARTS, st.text(max_size=5)), max_size=6).map("".join))
LONG = st.integers(1000, 10_000).map(lambda count: "x" * count)
FIELDS = ("number", "display_name", "digest", "transport", "language", "pickup_group", "realm")


def _lines(phone: ExtensionConf) -> list[list[str]]:
    return [piece.text.split("\n") for piece in pieces_of(phone)]


@pytest.mark.parametrize("field", FIELDS)
@given(text=st.one_of(TEXT, LONG))
@settings(max_examples=150, deadline=None)
def test_hostile_text_is_refused_by_name_or_changes_only_its_own_line(field: str, text: str) -> None:
    plain = extension("200")
    try:
        hostile = dataclasses.replace(plain, **{field: text})
    except ConfValueError as error:
        assert error.field == field
        return
    for before, after in zip(_lines(plain), _lines(hostile), strict=True):
        if field in ("display_name", "digest", "language", "realm"):
            assert len(before) == len(after)
            assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1
        assert not any(line.lstrip().startswith(("#", "exten => _")) for line in after)


@given(codecs=st.lists(TEXT, max_size=3))
@settings(max_examples=50, deadline=None)
def test_hostile_codecs_are_refused(codecs: list[str]) -> None:
    with pytest.raises(ConfValueError) as error:
        extension("200", codecs=(*codecs, "bad\n[x]"))
    assert error.value.field == "codecs"


@pytest.fixture(scope="module")
def hostile_pbx(tmp_path_factory: pytest.TempPathFactory, engine_dir: Path) -> Iterator[Pbx]:
    """An Asterisk of its own, whose phones change with every example."""
    pbx = Pbx(tmp_path_factory.mktemp("hostile"), engine_dir)
    try:
        yield pbx.start([extension("200")])
    finally:
        pbx.stop()


def _accepted(names: list[str]) -> list[ExtensionConf]:
    phones = []
    for name in names:
        try:
            phones.append(extension(str(300 + len(phones)), display_name=name))
        except ConfValueError:
            continue
    return phones


@given(names=st.lists(TEXT, min_size=10, max_size=40))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_real_asterisk_reads_every_accepted_name_unchanged(hostile_pbx: Pbx, names: list[str]) -> None:
    _reads_back(hostile_pbx, [*HOSTILE, *names])


def test_a_real_asterisk_reads_the_known_attacks_unchanged(hostile_pbx: Pbx) -> None:
    phones = _reads_back(hostile_pbx, list(HOSTILE))
    assert len(phones) >= len(HOSTILE) - 1, "only the one with a space at its end is refused"


def _reads_back(pbx: Pbx, names: list[str]) -> list[ExtensionConf]:
    phones = _accepted(names)
    pbx.apply([extension("200"), *phones])
    for phone in phones:
        shown = pbx.ami.getvar(f"PJSIP_ENDPOINT({phone.number},callerid)")
        assert _display(shown) == phone.display_name
        assert shown.endswith(f"<{phone.number}>")
    listed = set(re.findall(r"^ Endpoint:  (\w+)/", pbx.cli("pjsip show endpoints"), re.MULTILINE))
    assert listed == {"200", *(phone.number for phone in phones)}
    contexts = re.findall(r"\[ Context '([^']+)' created by 'pbx_config'", pbx.cli("dialplan show"))
    assert all(context.startswith("pbxweb-") for context in contexts)
    return phones


def test_hostile_names_arrive_on_the_other_phones_display(hostile_pbx: Pbx) -> None:
    phones = _accepted(list(HOSTILE))
    hostile_pbx.apply([extension("200"), *phones])
    target = SipUser("200", hostile_pbx.port)
    callers: list[SipUser] = []
    try:
        assert target.register() == 200
        for phone in phones:
            callers.append(SipUser(phone.number, hostile_pbx.port))
            target.incoming.clear()
            callers[-1].call("200")
            shown = _display(target.rings().get("from"))
            hostile_pbx.quiet()
            assert shown == phone.display_name
    finally:
        for user in (target, *callers):
            user.close()
    assert not list(hostile_pbx.settings.home.rglob("pbxweb-was-here"))


def _display(header: str) -> str:
    """The display name of a From header (RFC 3261: a quoted string, or words)."""
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"', header)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header.partition("<")[0].strip()
