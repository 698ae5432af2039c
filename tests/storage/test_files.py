"""Files are wholly old or wholly new."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pbxweb.storage.files import private_folder, write_atomic


def test_it_replaces_the_content_and_keeps_others_out(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    write_atomic(target, b"old")
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.conf"]


def test_a_write_that_does_not_fit_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.conf"
    write_atomic(target, b"old")
    program = (
        "import signal, sys; from pathlib import Path; from pbxweb.storage.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: write_atomic(Path(sys.argv[1]), b'x' * 100_000)\n"
        "except OSError as error: print(error.errno)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(target)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "27"  # EFBIG
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.conf"]


def test_a_folder_for_secrets_is_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "x" / "secrets"
    private_folder(folder)
    folder.chmod(0o755)
    assert stat.S_IMODE(private_folder(folder).stat().st_mode) == 0o700


def test_a_missing_folder_is_an_error_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_atomic(tmp_path / "none" / "a.conf", b"x")
