"""The check finds what is named but not there, before Asterisk does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxweb.asterisk.check import check
from pbxweb.extensions.conf import pieces, pieces_of
from pbxweb.room import Piece
from pbxweb.settings import Settings
from pbxweb.system.conf import BaseConf, base_pieces
from tests.asterisk.pbx import extension

PROMPTS = (
    "demo-echotest", "demo-echodone", "invalid", "ss-noservice", "vm-enter-num-to-call", "vm-isonphone",
    "vm-isunavail", "vm-theperson",
)  # fmt: skip


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder with the prompts that our dialplan plays."""
    for language in ("en", "de"):
        (tmp_path / language).mkdir()
        for name in PROMPTS:
            (tmp_path / language / f"{name}.gsm").touch()
    (tmp_path / "pbxweb").mkdir()
    for name in ("on", "off", "no"):
        (tmp_path / "pbxweb" / f"{name}.wav").touch()
    return tmp_path


def _all(*numbers: str) -> list[Piece]:
    base = BaseConf.of(Settings(), ami_secret="secret")
    return [*pieces(extension(number) for number in numbers), *base_pieces(base)]


def _messages(found: list[Piece], sounds: Path) -> list[str]:
    return [f"{problem.file}: {problem.message}" for problem in check(found, sounds)]


def test_our_own_files_are_whole(sounds: Path) -> None:
    assert check(_all("200", "201"), sounds) == []
    assert check(_all(), sounds) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("exten => 1,1,Goto(nowhere,s,1)", "place nowhere s 1 does not exist"),
        ("exten => 1,1,Goto(pbxweb-ring,s,1)", "place pbxweb-ring s 1 does not exist"),
        ("exten => 1,1,Goto(pbxweb-ring,200,nolabel)", "place pbxweb-ring 200 nolabel does not exist"),
        ("exten => 1,1,Gosub(nowhere,${EXTEN},1(a,b))", "place nowhere 1 does not exist"),
        (
            'exten => 1,1,GotoIf($["${A}" = "x?y"]?here:there)\n same => n(here),NoOp()',
            "place t 1 there does not exist",
        ),
        ("include => nowhere", "context nowhere does not exist"),
        ("exten => 1,hint,PJSIP/299", "endpoint 299 does not exist"),
        ("exten => 1,1,Playback(no-such-prompt&invalid)", "sound no-such-prompt does not exist"),
        ("exten => 1,1,Read(x,no-such-prompt)", "sound no-such-prompt does not exist"),
        ("exten => 1,1,ParkedCall(attic,701)", "parking lot attic does not exist"),
        ("exten => 1,1,System(reboot)", "application System does not exist"),
        ("exten => 1,1,NoOp()\nexten => 1,1,NoOp()", "extension t 1 1 is there twice"),
        ("exten => 1,x,NoOp()", "priority x does not exist"),
        ("[t]", "context t is there twice"),
        ("[u](+)", "context u does not exist"),
    ],
)
def test_a_dialplan_names_nothing_that_is_not_there(line: str, message: str, sounds: Path) -> None:
    found = [*_all("200"), Piece("extensions.conf", f"\n[t]\n{line}\n")]
    assert f"extensions.conf: {message}" in _messages(found, sounds)


@pytest.mark.parametrize(
    "line",
    [
        "exten => 1,1,Goto(pbxweb-phones,200,1)",
        "exten => 1,1,Goto(pbxweb-phones,12345,1)",
        "exten => 1,1,Goto(${ANYWHERE},s,1)",
        "exten => 1,1,NoOp() ; Goto(nowhere,s,1)",
        "exten => 1,1,NoOp()\n same => n(again),GotoIf($[${A} > 1]?again)\n same => n,Goto(1)",
        "exten => _X.,1,Goto(200,1)\nexten => 200,1,Hangup()",
        "exten => 1,1,Playback(${SOUND})",
    ],
)
def test_what_is_there_is_found(line: str, sounds: Path) -> None:
    assert _messages([*_all("200"), Piece("extensions.conf", f"\n[t]\n{line}\n")], sounds) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x](pbxweb-phone)\nauth = y\n", "auth y does not exist"),
        ("[x](pbxweb-phone)\naors = y\n", "aor y does not exist"),
        ("[x](pbxweb-phone)\ntransport = y\n", "transport y does not exist"),
        ("[x](pbxweb-phone)\ncontext = y\n", "context y does not exist"),
        ("[x](pbxweb-phone)\nset_var = TRANSFER_CONTEXT=y\n", "context y does not exist"),
        ("[x](no-template)\ntype = aor\n", "template no-template does not exist"),
        ("[x]\ncontext = pbxweb-phones\n", "type of section x does not exist"),
        ("[200]\ntype = aor\n", "aor 200 is there twice"),
    ],
)
def test_an_endpoint_names_nothing_that_is_not_there(text: str, message: str, sounds: Path) -> None:
    assert f"pjsip.conf: {message}" in _messages([*_all("200"), Piece("pjsip.conf", "\n" + text)], sounds)


def test_a_problem_is_found_at_its_line(sounds: Path) -> None:
    found = [*_all("200"), Piece("extensions.conf", "\n[t]\nexten => 1,1,Goto(nowhere,s,1)\n")]
    text = "".join(piece.text for piece in found if piece.file == "extensions.conf")
    line = next(n for n, content in enumerate(text.split("\n"), 1) if "nowhere" in content)
    assert [(p.file, p.line) for p in check(found, sounds)] == [("extensions.conf", line)]


def test_a_lamp_of_a_phone_that_is_not_there_is_found(sounds: Path) -> None:
    pjsip, dialplan = pieces_of(extension("299"))
    found = [*pieces([extension("200")]), dialplan, *base_pieces(BaseConf.of(Settings(), ami_secret="secret"))]
    assert _messages(found, sounds) == ["extensions.conf: endpoint 299 does not exist"]
    assert _messages([*found, pjsip], sounds) == []


def test_a_prompt_must_be_there_in_every_language(sounds: Path) -> None:
    (sounds / "de" / "invalid.gsm").unlink()
    assert _messages(_all("200"), sounds) == ["extensions.conf: sound invalid does not exist"]


@pytest.mark.parametrize("file", ["pjsip.conf", "extensions.conf", "modules.conf", "pjsip_transports.conf"])
def test_an_empty_or_missing_file_is_refused(file: str, sounds: Path) -> None:
    without = [piece for piece in _all("200") if piece.file != file]
    for found in (without, [*without, Piece(file, "; nothing\n")]):
        assert any(message.startswith(f"{file}: the file would be empty") for message in _messages(found, sounds))
