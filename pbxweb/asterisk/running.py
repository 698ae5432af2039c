"""The Asterisk that runs right now, as far as applying a change needs it: reload, and ask what it does."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask_babel import gettext

from pbxweb.asterisk import control, process, verify
from pbxweb.asterisk.ami_messages import AmiError, AmiFailed
from pbxweb.asterisk.conf import marker_of
from pbxweb.asterisk.console import Console
from pbxweb.security.errors import Refused, Unavailable

if TYPE_CHECKING:
    from pbxweb.asterisk.ami_verbs import AmiVerbs
    from pbxweb.asterisk.layout import Layout

log = logging.getLogger(__name__)

RELOAD_SECONDS = 8.0
# While Asterisk starts it only queues a reload.
TAKEN_SECONDS = 0.5
POLL_SECONDS = 0.02
IN_PROGRESS = "progress"


class Running:
    """One instance's Asterisk. ``link`` is the AMI link, when there is one."""

    def __init__(self, layout: Layout, link: AmiVerbs | None = None) -> None:
        self._layout = layout
        self._console = Console(layout.control_socket)
        self.link = link

    def way(self) -> Way | None:
        """How to talk to it: over AMI, else over its control socket. None: it does not run.

        Raises Unavailable when it runs but does not answer: nobody could say what it made of a change.
        """
        if self.link is not None and getattr(self.link, "connected", True):
            return Way(self.link)
        try:
            control.ask(self._layout.control_socket, "core waitfullybooted", RELOAD_SECONDS)
        except control.ControlError as error:
            if process.find_instance(self._layout.config) is None:
                return None
            raise Unavailable(
                gettext("Asterisk runs but does not answer. Nothing was changed; try again in a few seconds.")
            ) from error
        return Way(self._console)

    def reload_somehow(self, modules: Iterable[str]) -> set[str]:
        """Reload ``modules`` over AMI, else over the control socket; those for which it worked."""
        ways = [Way(verbs) for verbs in (self.link, self._console) if verbs is not None]
        done = set()
        for module in modules:
            for way in ways:
                try:
                    way.reload(module)
                except AmiError as error:
                    log.warning("%s was not reloaded: %s", module, error)
                else:
                    done.add(module)
                    break
        return done


class Way:
    """A way to talk to an Asterisk that runs. Every method raises AmiError when it does not answer any more."""

    def __init__(self, verbs: AmiVerbs) -> None:
        self._verbs = verbs

    def reload(self, module: str) -> None:
        """Let Asterisk read the files of ``module`` again; waits for a reload that is under way."""
        deadline = time.monotonic() + RELOAD_SECONDS
        while True:
            try:
                self._verbs.reload(module, timeout=RELOAD_SECONDS)
                return
            except AmiFailed as error:
                if IN_PROGRESS not in error.message or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def loading(self, modules: Sequence[str]) -> Loading:
        """Begin to reload ``modules``; the caller goes on, and calls ``expect`` and ``finish``."""
        return Loading(self, self._verbs, modules)

    def confirm(self, wanted: verify.Expectation, asked: verify.Question) -> None:
        """Raise Refused when Asterisk does not run what is ``wanted``; ``asked`` is that question, asked before."""
        deadline = time.monotonic() + TAKEN_SECONDS
        while (missing := asked.missing()) is not None:
            if time.monotonic() > deadline:
                raise Refused(_not_taken(missing))
            time.sleep(POLL_SECONDS)
            asked = verify.Question(self._verbs, wanted)

    def runs(self, file: str, text: str) -> bool | None:
        """Does it run ``text`` from ``file``? None where it cannot be asked."""
        return verify.runs(self._verbs, marker_of(file, text))

    def busy(self) -> bool:
        """Is any channel up: a call, or one that is about to be?"""
        return any(event.name == "CoreShowChannel" for event in self._verbs.collect("CoreShowChannels")[1])


class Loading:
    """A reload under way, and behind it the questions whether it worked; meanwhile the revision can be written.

    Asterisk does what one connection asks for in its order, so nothing waits for an answer on the way.
    """

    def __init__(self, way: Way, verbs: AmiVerbs, modules: Sequence[str]) -> None:
        self._way = way
        self._verbs = verbs
        self._modules = modules
        self._reloads = [verbs.ask("Reload", {"Module": module}) for module in modules]
        self._questions: list[tuple[verify.Expectation, verify.Question]] = []

    def expect(self, wanted: Iterable[verify.Expectation]) -> None:
        """Ask, when all is reloaded, whether Asterisk runs what is ``wanted``. Raises AmiError."""
        self._questions = [(one, verify.Question(self._verbs, one)) for one in wanted]

    def wait(self) -> None:
        """Return when Asterisk has answered, whatever it said."""
        reloads, self._reloads = self._reloads, []
        questions, self._questions = self._questions, []
        for reload in reloads:
            with suppress(AmiError):
                reload.wait(RELOAD_SECONDS)
        for _, question in questions:
            with suppress(AmiError):
                question.missing()

    def finish(self, files: Iterable[str]) -> None:
        """Return when all is reloaded and confirmed. Raises Refused, which names ``files``, or AmiError."""
        try:
            self._reloaded()
        except AmiFailed as error:
            raise Refused(_unread(", ".join(files))) from error
        questions, self._questions = self._questions, []
        for wanted, question in questions:
            self._way.confirm(wanted, question)

    def _reloaded(self) -> None:
        """Wait for the reloads; what found another reload in progress is done again, in the same order."""
        reloads, self._reloads = self._reloads, []
        again: list[str] = []
        for module, reload in zip(self._modules, reloads, strict=True):
            try:
                reload.wait(RELOAD_SECONDS)
            except AmiFailed as error:
                if IN_PROGRESS not in error.message and not again:
                    raise
                again.append(module)
            else:
                again += [module] if again else []
        for module in again:
            self._way.reload(module)


def _not_taken(missing: verify.NotTaken) -> Any:
    if missing.name:
        return gettext(
            "Asterisk did not take over “%(name)s”, so everything is as it was before. Check what was entered there.",
            name=missing.name,
        )
    return _unread(missing.file)


def _unread(file: str) -> Any:
    return gettext("Asterisk could not read the new %(file)s, so everything is as it was before.", file=file)
