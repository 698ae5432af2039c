"""The applier: what the database says becomes what Asterisk runs, or nothing happens at all.

It runs inside the transaction of a change (``pbxweb.changes``): render everything from one read, check, compare with
the files, replace those that differ, reload only their modules, ask Asterisk whether it took them, note a revision.
Whatever fails on the way, a failing commit included, puts the previous files back and reloads them.
See docs/decisions/0002-apply-inside-the-transaction.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pbxweb.asterisk import instance, revisions, verify
from pbxweb.asterisk.check import Checker, Problem, check
from pbxweb.asterisk.conf import RESTART, ConfValueError, reload_of, with_marker
from pbxweb.asterisk.diff import unified
from pbxweb.asterisk.etc import EtcFolder, Replacement, Turn
from pbxweb.asterisk.layout import choose_tree, layout
from pbxweb.asterisk.refusals import explained, not_put_back, problems_refused, value_refused
from pbxweb.asterisk.restarts import Restarts
from pbxweb.asterisk.running import Running
from pbxweb.changes import Change, RowImage, changing
from pbxweb.room import Piece, Room
from pbxweb.security.roles import Actor, device
from pbxweb.storage.database import Base, db

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pbxweb.asterisk.ami import AmiVerbs
    from pbxweb.settings import Settings

log = logging.getLogger(__name__)

# Modules are reloaded in this order: what is dialled exists before the dialplan that dials it.
LAST = ("res_pjsip.so", "pbx_config.so")


@dataclass(frozen=True)
class _Text:
    """A whole file as rendered, and the pieces it was joined from."""

    pieces: list[str]
    data: bytes


class Applier:
    """Makes Asterisk run what the database says. One per process; ``link`` is set when the runtime has one.

    ``link`` is an AmiLink, or for a command a one-shot connection. ``layout`` has the folders of the instance.
    """

    def __init__(self, settings: Settings, rooms: Sequence[Room], link: AmiVerbs | None = None) -> None:
        self._settings = settings
        self._rooms = tuple(rooms)
        self._etc = EtcFolder(settings.asterisk_etc)
        self.layout = layout(settings)
        self._check = Checker()
        self._joined: dict[str, _Text] = {}
        self._running = Running(self.layout, link)
        self._restarts = Restarts(settings.home, self.layout, self._running)
        # Modules whose last reload may not have happened: the connection broke, or a process was killed.
        self._owed: set[str] = set()

    @property
    def link(self) -> AmiVerbs | None:
        """The connection to Asterisk's manager interface."""
        return self._running.link

    @link.setter
    def link(self, link: AmiVerbs | None) -> None:
        self._running.link = link

    @cached_property
    def _tables(self) -> frozenset[str]:
        return frozenset(
            mapper.local_table.name  # type: ignore[attr-defined]
            for mapper in Base.registry.mappers
            if getattr(mapper.class_, "configures_asterisk", False)
        )

    def concerns(self, images: Iterable[RowImage]) -> bool:
        """Can these rows change what Asterisk reads? Models say so with ``configures_asterisk = True``."""
        return any(image.table in self._tables for image in images)

    def apply(self, session: Session, change: Change) -> int | None:
        """Make Asterisk run what ``session`` says; the revision's number, None when it does so already.

        Runs in the session's write transaction. Raises Refused (Unavailable when a part does not answer) with the
        previous files back in place; they come back too when ``change`` ends without a commit.
        """
        turn = Turn(self._settings.home / "apply.lock")
        with explained():
            turn.take()
        change.at_end(lambda _committed: turn.leave())
        with explained():
            files = self._rendered(session)
            self._etc.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            changed = self._differing(files)
            if not changed and not self._owed:
                return None
            return self._go_live(session, change, files, changed)

    def _go_live(
        self, session: Session, change: Change, files: Mapping[str, bytes], changed: Mapping[str, bytes]
    ) -> int | None:
        way = self._running.way()
        modules = _in_order({*_modules(changed), *self._owed})
        before = {file: self._etc.read(file) or b"" for file in files if file in changed or reload_of(file) in modules}
        change.live = way is not None
        change.needs_restart = change.live and any(reload_of(file) == RESTART for file in changed)
        replacement = self._etc.stage(changed)
        loading = None
        try:
            replacement.publish()
            # While Asterisk reloads, everything else is done.
            loading = way.loading(modules) if way else None
            replacement.settle()
            if loading:
                loading.expect(
                    verify.expect(file, data.decode(errors="replace"), files[file].decode())
                    for file, data in before.items()
                    if reload_of(file) in modules
                )
            number = self._note(session, change, before, changed) if changed else None
            if loading:
                loading.finish(changed)
        except BaseException:
            if loading:
                loading.wait()
            self._put_back(replacement, modules if way else [])
            raise
        self._owed.clear()
        change.at_end(lambda committed: self._settle(committed, change, replacement, modules))
        return number

    def _note(self, session: Session, change: Change, before: Mapping[str, bytes], changed: Mapping[str, bytes]) -> int:
        diffs = {file: _diff(file, before[file], data) for file, data in changed.items()}
        revision = revisions.record(session, change, diffs, live=change.live, needs_restart=change.needs_restart)
        return revision.number

    def _settle(self, committed: bool, change: Change, replacement: Replacement, modules: Sequence[str]) -> None:
        if not committed:
            self._put_back(replacement, modules if change.live else [])
            return
        replacement.forget()
        if change.needs_restart:
            self._restarts.note(file for file in replacement.files if reload_of(file) == RESTART)

    def _put_back(self, replacement: Replacement, modules: Sequence[str]) -> None:
        """The previous files, and Asterisk running them. What cannot be reloaded now is owed to the next apply."""
        self._owed |= set(modules)
        try:
            replacement.restore()
        except OSError as error:
            log.exception("the previous files could not be put back")
            raise not_put_back(error) from error
        self._owed -= self._running.reload_somehow(_in_order(self._owed))

    def _pieces(self, session: Session) -> list[Piece]:
        """All pieces of all rooms, from one read. Raises Refused for a value that cannot be written."""
        with session.no_autoflush:  # the change itself is in the database; its audit row can wait
            read = [(room, room.read(session)) for room in self._rooms if room.read and room.render]
        try:
            return [piece for room, data in read for piece in (room.render(data) if room.render else ())]
        except ConfValueError as error:
            raise value_refused(error) from error

    def _rendered(self, session: Session) -> dict[str, bytes]:
        """Every file as it has to be. Raises Refused for what would not work."""
        pieces = self._pieces(session)
        found = self._check(pieces, self.layout.data / "sounds")
        if found:
            raise problems_refused(found)
        return self._join(pieces)

    def _join(self, pieces: Iterable[Piece]) -> dict[str, bytes]:
        texts: dict[str, list[str]] = {}
        for piece in pieces:
            texts.setdefault(piece.file, []).append(piece.text)
        return {file: self._file(file, parts) for file, parts in texts.items()}

    def _file(self, file: str, parts: list[str]) -> bytes:
        known = self._joined.get(file)
        if known is None or known.pieces != parts:
            known = self._joined[file] = _Text(parts, with_marker(file, "".join(parts)).encode())
        return known.data

    def _differing(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        return {file: data for file, data in files.items() if self._etc.read(file) != data}

    def problems(self, session: Session) -> list[Problem]:
        """What is wrong with the configuration that the database describes; empty when it can be applied."""
        return check(self._pieces(session), self.layout.data / "sounds")

    def diff(self, session: Session) -> str:
        """From the files as they are to what the database says, as a unified diff without secrets; empty when equal."""
        changed = self._differing(self._join(self._pieces(session)))
        return "".join(_diff(file, self._etc.read(file) or b"", data) for file, data in changed.items())

    def history(self, session: Session, limit: int = 50, before: int | None = None) -> Sequence[revisions.Revision]:
        """The newest revisions first; ``before`` is the number to go on from."""
        return revisions.history(session, limit, before)

    def undo(self, actor: Actor, number: int) -> Change:
        """Give the rows of revision ``number`` the values they had before it, as a new change that is live on return.

        Raises NotFound, Conflict when they were changed again since, and what every change raises.
        """
        with changing(actor, "revision.undo", f"revision {number}") as change:
            session = db.session()
            change.undoes = number
            change.images += revisions.put_back(session, revisions.get(session, number))
            for room in self._rooms:
                if room.restored:
                    change.after_commit(room.restored)
        return change

    def reconcile(self, actor: Actor | None = None) -> Change:
        """Make folders, files and Asterisk agree with the database, whatever happened before.

        For the start, for a link that came back, and for ``config apply``. With Asterisk down the files are written;
        with Asterisk up it is asked what it runs, and reloads what it has to. Needs an application context and opens a
        transaction of its own. Out: the change; its ``revision`` is None when all files agreed.
        Raises Refused like ``apply``.
        """
        with changing(actor or device("pbxweb"), "config.reconcile") as change:
            self._prepare()
            self._doubt()
            change.revision = self.apply(db.session(), change)
            if change.revision is not None:
                change.details["revision"] = change.revision
        return change

    def _prepare(self) -> None:
        """The folders of the instance with its prompts, which the check looks for."""
        tree = choose_tree(self._settings)
        self.layout = layout(self._settings)
        with explained():
            self._etc.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if tree.complete:
                instance.prepare(self.layout, tree)

    def _doubt(self) -> None:
        """Find out which modules may run something else than their files say."""
        with explained():
            self._owed |= set(_modules(self._etc.leftovers()))
            way = self._running.way()
            if way is not None:
                self._owed |= {
                    reload_of(path.name)
                    for path in self._etc.folder.glob("*.conf")
                    if way.runs(path.name, path.read_text(errors="replace")) is False
                }

    @property
    def restart_pending(self) -> tuple[str, ...]:
        """Files that Asterisk will only read when it starts again; empty when it runs them all."""
        return self._restarts.pending()

    def restart_when_idle(self, start: Callable[[], object]) -> bool:
        """Restart Asterisk for what it only reads at its start, if there is such a thing and no call is up.

        In: ``start``, which starts it again and returns when it runs (``Engine.ensure_running``). Out: whether it was
        restarted. Raises Refused when Asterisk does not answer, and what ``start`` raises.
        """
        with explained():
            return self._restarts.when_idle(start)


def _diff(file: str, old: bytes, new: bytes) -> str:
    return unified(file, verify.without_marker(old.decode(errors="replace")), verify.without_marker(new.decode()))


def _modules(files: Iterable[str]) -> list[str]:
    return _in_order({reload_of(file) for file in files} - {RESTART})


def _in_order(modules: Iterable[str]) -> list[str]:
    return sorted(modules, key=lambda module: (LAST.index(module) if module in LAST else -1, module))
