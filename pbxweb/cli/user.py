"""``user create``: a person who may sign in, made from the command line."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pbxweb.cli.fault import Fault

if TYPE_CHECKING:
    from pbxweb.settings import Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    from pbxweb.security.roles import Role

    user = commands.add_parser("user", help="people who sign in")
    verbs = user.add_subparsers(dest="verb", required=True, metavar="verb")
    verb = verbs.add_parser(
        "create", help="make a user", description="Make an active user. The password is read from standard input."
    )
    verb.add_argument("--email", required=True, help="the address to sign in with")
    verb.add_argument("--role", required=True, choices=[role.value for role in Role], help="what the user may do")
    verb.add_argument("--first-name", default="", help="given name")
    verb.add_argument("--last-name", default="", help="family name")
    verb.add_argument(
        "--password-stdin", action="store_true", required=True, help="read the password from standard input (one line)"
    )
    verb.set_defaults(action=create)


def create(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make the user."""
    from pbxweb.cli.house import house

    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Fault("The password is empty: give it on standard input, on one line", code=2)
    with house(settings) as (_app, actor):
        from pbxweb.security.roles import Role
        from pbxweb.users.service import create_user

        made = create_user(
            actor,
            email=arguments.email,
            role=Role(arguments.role),
            password=password,
            first_name=arguments.first_name,
            last_name=arguments.last_name,
        )
        print(f"{made.email} can sign in ({arguments.role}).")
    return 0
