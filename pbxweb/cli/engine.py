"""``engine install`` and ``engine status``."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import TYPE_CHECKING

from pbxweb.cli.fault import Fault

if TYPE_CHECKING:
    from pbxweb.settings import Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    engine = commands.add_parser("engine", help="the Asterisk behind pbxweb")
    verbs = engine.add_subparsers(dest="verb", required=True, metavar="verb")
    verb = verbs.add_parser(
        "install",
        help="fetch Asterisk where there is none",
        description="Fetch Debian's own Asterisk packages into the state folder, without root. Does nothing where "
        "Asterisk 22.9 or newer is on the PATH or was fetched before.",
    )
    verb.add_argument("--again", action="store_true", help="fetch it in any case (an update)")
    verb.set_defaults(action=install)
    verb = verbs.add_parser(
        "status",
        help="say how Asterisk is",
        description="Say which Asterisk runs, since when, and its memory. Exit code 1 when it does not run.",
    )
    verb.set_defaults(action=status)


def install(settings: Settings, arguments: argparse.Namespace) -> int:
    """Fetch it, saying each step."""
    from pbxweb.asterisk.engine import EngineError
    from pbxweb.asterisk.engine_fetch import install as fetch

    try:
        fetch(settings, lambda text: print(text, flush=True), again=arguments.again)
    except EngineError as error:
        raise Fault(str(error)) from error
    return 0


def status(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Print it in one line."""
    from pbxweb.asterisk.engine import engine_for

    engine = engine_for(settings)
    now = engine.status()
    if now.running:
        up = timedelta(seconds=int(now.uptime))
        print(f"Asterisk {now.version} runs: process {now.pid}, up {up}, memory {now.memory / 1e6:.0f} MB")
        return 0
    version = engine.installed()
    print(f"Asterisk {version} is installed and does not run." if version else "There is no Asterisk here yet.")
    return 1
