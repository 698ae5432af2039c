"""``run``: serve until told to stop."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pbxweb.cli.fault import Fault

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.settings import Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "run",
        help="start pbxweb and its Asterisk, and stay until stopped",
        description="Start pbxweb and its Asterisk. SIGTERM or Ctrl-C ends both; a killed pbxweb leaves Asterisk and "
        "its calls alone, and the next start takes that Asterisk over.",
    )
    command.set_defaults(action=run)


def run(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Serve; the exit code."""
    from pbxweb.owner import OwnedError
    from pbxweb.serve import run as serve
    from pbxweb.storage.files import private_folder

    def make_app() -> Flask:
        from pbxweb import create_app

        return create_app(settings)

    try:
        private_folder(settings.home)
        return serve(settings, make_app)
    except OwnedError as error:
        raise Fault(str(error), code=2) from error
    except OSError as error:
        raise Fault(f"PBXWEB_HOME={str(settings.home)!r} cannot be used: {error}", code=2) from error
