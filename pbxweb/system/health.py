"""What is wrong, in plain words, and what to do about it. Nothing here asks Asterisk or renders a file."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import gettext
from sqlalchemy import func, select

from pbxweb.extensions.models import Extension
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import Settings
from pbxweb.storage.database import db
from pbxweb.system import overview, setup

FULL = 200 * 10**6
NEARLY_FULL = 10**9
LEVELS = ("red", "yellow", "blue", "green")


@dataclass(frozen=True)
class Finding:
    """One thing to know. ``level``: red is broken, yellow needs care, blue is a hint, green is fine.

    ``url`` and ``label`` lead to where it is mended, for those who may.
    """

    level: str
    title: str
    text: str = ""
    url: str = ""
    label: str = ""


@dataclass
class Compared:
    """What the last comparison of files and database said (``app.extensions["pbxweb.system.compared"]``)."""

    differ: bool = False
    at: float = 0.0


def findings(actor: Actor) -> list[Finding]:
    """Everything that is to be said, the worst first; one green line when all is well."""
    admin = actor.role is Role.ADMIN
    found = [*_engine(), *(_disk() if admin else []), *(_files() if admin else []), *(_beginning() if admin else [])]
    found.sort(key=lambda one: LEVELS.index(one.level))
    return found or [Finding("green", gettext("Everything is working."))]


def _engine() -> list[Finding]:
    runtime = overview.runtime()
    if runtime is None:
        return []
    if runtime.engine_problem:
        return [
            Finding(
                "red",
                gettext("Asterisk does not start, so no phone can call."),
                gettext("It said: %(problem)s", problem=runtime.engine_problem),
            )
        ]
    engine = runtime.feed.snapshot().engine
    if not engine.up:
        return [
            Finding(
                "red",
                gettext("Asterisk does not answer; reconnecting …"),
                gettext("Calls in progress go on if Asterisk still runs. This page follows by itself."),
            )
        ]
    return []


def _disk() -> list[Finding]:
    settings: Settings = current_app.extensions["pbxweb.settings"]
    free = shutil.disk_usage(settings.home).free
    if free >= NEARLY_FULL:
        return []
    text = gettext(
        "%(free)d MB are free. Delete what is not needed, or give this device a larger disk.", free=free // 10**6
    )
    if free < FULL:
        return [Finding("red", gettext("The disk is full: changes and call records may be lost."), text)]
    return [Finding("yellow", gettext("The disk is nearly full."), text)]


def _files() -> list[Finding]:
    found = []
    applier = current_app.extensions["pbxweb.applier"]
    if applier.restart_pending:
        found.append(
            Finding(
                "yellow",
                gettext("A change waits for a restart of Asterisk."),
                gettext("It is restarted by itself as soon as nobody is on the phone."),
            )
        )
    if compared().differ:
        found.append(
            Finding(
                "yellow",
                gettext("Asterisk's files were changed by hand and differ from what is set here."),
                gettext("Run “python app.py config diff” to see how, and “config apply” to write them anew."),
            )
        )
    return found


def _beginning() -> list[Finding]:
    from flask import url_for

    step = setup.step()
    if step not in (setup.Step.DONE, setup.Step.SHEET):
        return [
            Finding(
                "blue",
                gettext("The first set-up is not finished."),
                gettext("A few questions are left until your phones can call."),
                url_for("setup.index"),
                gettext("Go on"),
            )
        ]
    phones, seen = db.session.execute(select(func.count(Extension.id), func.max(Extension.last_registered_at))).one()
    if not phones:
        return [
            Finding(
                "blue",
                gettext("There is no phone yet."),
                gettext("Make one, and sign in with it."),
                url_for("extensions.create"),
                gettext("New phone"),
            )
        ]
    if seen is None and not overview.snapshot().contacts:
        return [
            Finding(
                "blue",
                gettext("No phone has signed in yet."),
                gettext("Enter number, password and server in a phone or scan its code with a softphone."),
                url_for("setup.sheet") if step is setup.Step.SHEET else url_for("extensions.index"),
                gettext("Show the sign-in data"),
            )
        ]
    return []


def compared() -> Compared:
    """The last comparison of files and database."""
    found: Compared = current_app.extensions.setdefault("pbxweb.system.compared", Compared())
    return found


def compare() -> str:
    """Compare the files with the database (a job). Out: what was found."""
    applier: Any = current_app.extensions["pbxweb.applier"]
    found = compared()
    found.differ = bool(applier.diff(db.session()))
    found.at = time.time()
    return "the files differ" if found.differ else "the files are as they should be"
