"""What a revision shows: a correct diff, quickly, and never a secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxweb.asterisk.diff import MASK, changed_blocks, mask, unified, window
from pbxweb.asterisk.verify import changed_objects, without_marker

LINES = st.lists(st.sampled_from(["[a]", "[b]", "x = 1", "x = 2", "", "unique", "other", "more = yes"]), max_size=30)
PASSWORD = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
SECRET_OPTIONS = ("password", "password_digest", "md5_cred", "secret", "Secret", "oauth_secret", "refresh_token", "pin")


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@given(LINES, LINES)
def test_the_blocks_turn_the_old_lines_into_the_new(old: list[str], new: list[str]) -> None:
    built, at = [], 0
    for a1, a2, b1, b2 in changed_blocks(old, new):
        built += old[at:a1] + new[b1:b2]
        at = a2
    assert built + old[at:] == new


@settings(max_examples=40, deadline=None)
@given(LINES, LINES)
def test_patch_accepts_what_is_shown(tmp_path_factory: object, old: list[str], new: list[str]) -> None:
    folder: Path = tmp_path_factory.mktemp("patch")  # type: ignore[attr-defined]
    file = folder / "x.conf"
    file.write_text(text_of(old))
    shown = unified("x.conf", text_of(old), text_of(new))
    if shown:
        subprocess.run(["patch", "-s", "-E", str(file)], input=shown, text=True, check=True, cwd=folder)
    assert (file.read_text() if file.exists() else "") == text_of(new)


@given(LINES, LINES)
def test_the_window_holds_all_that_differs(old: list[str], new: list[str]) -> None:
    before, after = text_of(old), text_of(new)
    start, end = window(before, after)
    assert before[:start] == after[:start]
    assert end == 0 or before[len(before) - end :] == after[len(after) - end :]
    assert start + end <= min(len(before), len(after))


def test_equal_texts_have_no_diff() -> None:
    assert unified("pjsip.conf", "same\n", "same\n") == ""


def test_a_change_in_the_middle_of_a_large_file_is_shown_alone() -> None:
    sections = [f"[{n}]\ntype = endpoint\ncallerid = {n}\n\n" for n in range(5000)]
    old = "".join(sections)
    sections[2500] = sections[2500].replace("callerid = 2500", "callerid = new")
    shown = unified("pjsip.conf", old, "".join(sections))
    assert shown.splitlines()[2] == "@@ -10000,7 +10000,7 @@"
    assert [line for line in shown.splitlines()[3:] if line[0] != " "] == ["-callerid = 2500", "+callerid = new"]


def test_scattered_changes_of_a_large_file_are_shown_each() -> None:
    sections = [f"[{n}]\ntype = endpoint\nlanguage = en\n\n" for n in range(2000)]
    changed = [s.replace("= en", "= de") if n % 40 == 0 else s for n, s in enumerate(sections)]
    shown = unified("pjsip.conf", "".join(sections), "".join(changed))
    assert shown.count("\n+language = de") == shown.count("\n-language = en") == shown.count("@@ -") == 50


@given(option=st.sampled_from(SECRET_OPTIONS), old=PASSWORD, new=PASSWORD, indent=st.sampled_from(["", " ", "\t"]))
def test_no_password_is_ever_shown(option: str, old: str, new: str, indent: str) -> None:
    texts = [f"[200]\ntype = auth\n{indent}{option} = {word}\nusername = 200\n" for word in (old, new)]
    hidden = [text.replace(f"= {word}", f"= {MASK}") for text, word in zip(texts, (old, new), strict=True)]
    shown = unified("pjsip.conf", *texts)
    lines = [line[1:] for line in shown.split("\n")[3:] if line]
    assert set(lines) <= {line for text in hidden for line in text.split("\n")}


@given(PASSWORD)
def test_a_secret_in_the_context_of_a_change_is_masked_too(password: str) -> None:
    old, new = (f"[200]\nsecret => {password}\nname = {name}\n" for name in ("Anna", "Berta"))
    assert f"\n secret => {MASK}\n" in unified("manager.conf", old, new)


def test_options_without_a_secret_stay_readable() -> None:
    text = "auth_type = digest\nkeep_alive_interval = 30\nmapping = 1\nspinning = 2\nallow = opus\n"
    assert mask(text) == text


def test_changed_objects_are_found_with_their_types_through_templates() -> None:
    head = "[phone](!)\ntype = endpoint\n[line](!,phone)\ncontext = x\n[sign](!)\ntype = auth\n\n"
    old = head + "[1](line)\nname = A\n[1](sign)\nusername = 1\n[2](phone)\nname = B\n"
    new = head + "[1](line)\nname = C\n[1](sign)\nusername = 1\n[3]\ntype = aor\nmax_contacts = 1\n"
    before, after = changed_objects(old, new)
    assert before == {("endpoint", "1"): {"name": "A"}, ("endpoint", "2"): {"name": "B"}}
    assert after == {("endpoint", "1"): {"name": "C"}, ("aor", "3"): {"type": "aor", "max_contacts": "1"}}


def test_the_revision_at_the_end_is_not_part_of_what_people_see() -> None:
    from pbxweb.asterisk.conf import with_marker

    assert without_marker(with_marker("pjsip.conf", "[1]\ntype = aor\n")) == "[1]\ntype = aor\n"
    assert without_marker("[1]\n") == "[1]\n"


@pytest.mark.parametrize("file", ["pjsip.conf", "extensions.conf", "rtp.conf"])
@pytest.mark.parametrize("added", ["[300]\ntype = aor\n", "; a remark\n", "max_contacts = 9", "\n"])
def test_what_somebody_appends_to_a_file_is_seen(file: str, added: str) -> None:
    from pbxweb.asterisk.conf import with_marker

    written = with_marker(file, "[1]\ntype = aor\n")
    shown = unified(file, without_marker(written + added), without_marker(written))
    removed = [line[1:] for line in shown.splitlines()[2:] if line.startswith("-")]
    assert removed == added.splitlines()
