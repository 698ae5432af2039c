"""What the trail and the list of changes show for the codes that are stored: words in the reader's language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

if TYPE_CHECKING:
    from flask import Flask

DEEDS = {
    "call.hangup": _("Call ended"),
    "call.originate": _("Call made"),
    "config.reconcile": _("Asterisk's files brought up to date"),
    "extension.bulk_create": _("Phones added"),
    "extension.bulk_delete": _("Phones deleted"),
    "extension.bulk_update": _("Phones changed"),
    "extension.create": _("Phone added"),
    "extension.delete": _("Phone deleted"),
    "extension.features": _("Switched on the phone"),
    "extension.import": _("Phones imported"),
    "extension.password.new": _("New password of a phone"),
    "extension.password.show": _("Password of a phone shown"),
    "extension.update": _("Phone changed"),
    "revision.undo": _("Change taken back"),
    "session.begin": _("Signed in"),
    "session.end": _("Signed out"),
    "session.end_all": _("Signed out everywhere"),
    "session.refused": _("Sign-in refused"),
    "session.reuse": _("Used token sent again, sign-in ended"),
    "settings.update": _("Settings changed"),
    "setup.finish": _("Set-up finished"),
    "user.accept": _("Invitation accepted"),
    "user.create": _("Person added"),
    "user.delete": _("Person deleted"),
    "user.invite": _("Person invited"),
    "user.link": _("New one-time link"),
    "user.password": _("Password changed"),
    "user.update": _("Person changed"),
}
KINDS = {
    "call": _("Calls"),
    "config": _("Files"),
    "extension": _("Phones"),
    "revision": _("Taken back"),
    "session": _("Sign-ins"),
    "settings": _("Settings"),
    "setup": _("Set-up"),
    "user": _("People"),
}
# By what way somebody came, where no address says it.
WAYS = {
    "api": _("by a program"),
    "cli": _("on the command line"),
    "job": _("by itself"),
    "page": _("on these pages"),
    "phone": _("on the phone"),
}
JOBS = {
    "compare-files": _("Compare Asterisk's files with the settings"),
    "prune-call-events": _("Tidy up Asterisk's call records"),
    "read-history": _("Take ended calls into the history"),
    "restart-when-idle": _("Restart Asterisk when a change needs it"),
    "rotate-logs": _("Put old logs away"),
}
RESULTS = {
    "": _("done"),
    "Asterisk does not answer": _("Asterisk does not answer"),
    "not needed or not idle": _("nothing to do, or somebody is on the phone"),
    "restarted": _("restarted"),
    "the files are as they should be": _("the files are as they should be"),
    "the files differ": _("the files differ"),
}


def deed(action: str) -> str:
    """What was done (``extension.update``: "Phone changed"); the code itself when it has no words."""
    return str(DEEDS.get(action, action))


def deed_kind(action: str) -> str:
    """To what kind of thing (``extension.``: "Phones")."""
    kind = action.partition(".")[0]
    return str(KINDS.get(kind, kind))


def way(via: str) -> str:
    """By what way (``cli``: "on the command line")."""
    return str(WAYS.get(via, via))


def job_name(name: str) -> str:
    """What a regular task does."""
    return str(JOBS.get(name, name))


def job_result(text: str) -> str:
    """What came of a regular task; an error as it was reported."""
    counts = re.fullmatch(r"(\d+) (calls|rows|old log files dropped)", text)
    if counts is None:
        return str(RESULTS.get(text, text))
    number = int(counts[1])
    if counts[2] == "calls":
        return str(ngettext("%(num)s call", "%(num)s calls", number))
    if counts[2] == "rows":
        return str(ngettext("%(num)d record deleted", "%(num)d records deleted", number))
    return str(ngettext("%(num)d old file deleted", "%(num)d old files deleted", number))


def thing(subject: str) -> str:
    """To which thing (``extension 201``: "Phone 201"); names and addresses as they are."""
    kind, _blank, rest = subject.partition(" ")
    if kind == "extension" and rest:
        several = 2 if "," in rest else 1
        return str(ngettext("Phone %(numbers)s", "Phones %(numbers)s", several, numbers=rest))
    if kind == "revision" and rest.isdecimal():
        return str(gettext("Change %(number)s", number=rest))
    if subject == "settings":
        return str(gettext("Settings"))
    counts = re.fullmatch(r"(\d+) new, (\d+) changed", subject)
    if counts:
        return str(gettext("%(created)s new, %(changed)s changed", created=counts[1], changed=counts[2]))
    return subject


def init_app(app: Flask) -> None:
    """Make the words known to the templates of ``app``."""
    app.jinja_env.filters.update(
        deed=deed, deed_kind=deed_kind, thing=thing, way=way, job_name=job_name, job_result=job_result
    )
