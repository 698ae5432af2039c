"""The command line: ``python app.py …``. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pbxweb.cli import config, engine, run, user
from pbxweb.cli.fault import Fault


def parser() -> argparse.ArgumentParser:
    """The whole command line with its help."""
    root = argparse.ArgumentParser(
        prog="app.py", description="pbxweb: a telephone system for people who own a NAS or a single-board computer."
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    for module in (run, engine, user, config):
        module.add_to(commands)
    return root


def main(words: Sequence[str] | None = None) -> int:
    """Run the command in ``words`` (default: the process's arguments); the exit code.

    0: done. 1: it could not be done, or (``config check``, ``config diff``) something was found. 2: wrong use,
    wrong settings, or somebody else at work.
    """
    from pbxweb.settings import SettingError, load

    arguments = parser().parse_args(words)
    os.umask(0o077)  # databases, files and logs hold what is nobody else's business
    try:
        code: int = arguments.action(load(), arguments)
    except SettingError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 2
    except Fault as fault:
        print(f"app.py: {fault}", file=sys.stderr)
        return fault.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    return code
