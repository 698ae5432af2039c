"""``config check | diff | apply | history | undo``: what Asterisk reads, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pbxweb.cli.fault import Fault
from pbxweb.cli.house import house

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.asterisk.apply import Applier
    from pbxweb.changes import Change
    from pbxweb.settings import Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    config = commands.add_parser("config", help="what Asterisk reads: check, compare, apply, undo")
    verbs = config.add_subparsers(dest="verb", required=True, metavar="verb")
    verb = verbs.add_parser(
        "check",
        help="check the configuration that the database describes",
        description="Check that every context, phone and sound that is named exists. Exit code 1 when not.",
    )
    verb.set_defaults(action=check)
    verb = verbs.add_parser("diff", help="what an apply would change", description="Print what an apply would change.")
    verb.set_defaults(action=diff)
    verb = verbs.add_parser(
        "apply",
        help="make Asterisk run what the database says",
        description="Write the files that differ, reload what reads them, and ask Asterisk whether it took them.",
    )
    verb.set_defaults(action=apply)
    verb = verbs.add_parser("history", help="list the revisions", description="List the revisions, the newest first.")
    verb.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
    verb.set_defaults(action=history)
    verb = verbs.add_parser(
        "undo", help="take a revision back", description="Take revision N back, as a new revision that is live at once."
    )
    verb.add_argument("number", type=int, metavar="N", help="the number that `config history` shows")
    verb.set_defaults(action=undo)


def check(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Print every problem."""
    from pbxweb.storage.database import db

    with house(settings) as (app, _actor), _prepared(settings):
        problems = _applier(app).problems(db.session())
        for problem in problems:
            print(problem)
        if not problems:
            print("The configuration is fine.")
        return 1 if problems else 0


def diff(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Print the unified diff."""
    from pbxweb.storage.database import db

    with house(settings) as (app, _actor):
        print(_applier(app).diff(db.session()) or "Nothing differs.\n", end="")
    return 0


def apply(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Make it so."""
    with house(settings) as (app, actor), _prepared(settings), _linked(app, settings):
        _tell(_applier(app).reconcile(actor))
    return 0


def history(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a line a revision."""
    from pbxweb.storage.database import db

    with house(settings) as (app, _actor):
        for revision in _applier(app).history(db.session(), limit=max(1, arguments.limit)):
            who = f"{revision.actor_name} ({revision.via})"
            at = revision.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            print(f"{revision.number:>6}  {at}  {who}  {revision.action} {revision.subject}")
    return 0


def undo(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take one revision back."""
    with house(settings) as (app, actor), _prepared(settings), _linked(app, settings):
        _tell(_applier(app).undo(actor, arguments.number))
    return 0


def _applier(app: Flask) -> Applier:
    applier: Applier = app.extensions["pbxweb.applier"]
    return applier


def _tell(change: Change) -> None:
    if change.revision is None:
        print("Asterisk runs what the database says; nothing was changed.")
    elif change.live:
        print(f"Revision {change.revision} is live.")
    else:
        print(f"Revision {change.revision} is written; Asterisk does not run and reads it when it starts.")


@contextmanager
def _prepared(settings: Settings) -> Iterator[None]:
    """The instance's folders with the prompts in them, against which a configuration is checked."""
    from pbxweb.asterisk.engine import EngineError, engine_for

    try:
        engine_for(settings).prepare()
    except EngineError as error:
        raise Fault(str(error)) from error
    yield


@contextmanager
def _linked(app: Flask, settings: Settings) -> Iterator[None]:
    """Give the applier a connection of its own for one command, where Asterisk runs."""
    from pbxweb.asterisk.account import AMI_SECRET, AMI_USER
    from pbxweb.asterisk.ami import one_shot
    from pbxweb.asterisk.ami_messages import AmiError
    from pbxweb.asterisk.engine import engine_for

    if not engine_for(settings).status().running:
        yield
        return
    secret = app.extensions["pbxweb.vault"].text(AMI_SECRET)
    try:
        with one_shot("127.0.0.1", settings.ami_port, AMI_USER, secret) as link:
            _applier(app).link = link
            yield
    except AmiError as error:
        raise Fault(f"Asterisk runs, but its manager interface does not answer: {error}") from error
