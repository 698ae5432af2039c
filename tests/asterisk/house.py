"""The applier as the product assembles it: a database file, the rooms, a real Asterisk and the link to it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from pbxweb.asterisk import instance
from pbxweb.asterisk.apply import Applier
from pbxweb.asterisk.certificate import make_certificate
from pbxweb.asterisk.conf import marker_of
from pbxweb.asterisk.layout import choose_tree, layout
from pbxweb.asterisk.sounds import make_sounds
from pbxweb.changes import Change, changing
from pbxweb.extensions.conf import digest_of
from pbxweb.extensions.models import Extension
from pbxweb.extensions.room import room as phones_room
from pbxweb.room import Piece, Room
from pbxweb.security.roles import Actor, Role
from pbxweb.settings import Settings
from pbxweb.storage import database
from pbxweb.storage.database import db
from pbxweb.storage.secrets import Vault
from pbxweb.system import conf as base_conf
from pbxweb.system.conf import BaseConf
from pbxweb.users.models import User
from pbxweb.web import languages
from tests.asterisk.pbx import Pbx

ADMIN = Actor("Ada Admin", Role.ADMIN, "00000000-0000-0000-0000-00000000000a")
FILES = ("pjsip.conf", "extensions.conf")

assert User.__tablename__  # the phones' owners: their table must be there


class Office:
    """The rooms, the applier and the database in this process. ``extra`` are pieces that can hold anything."""

    def __init__(self, settings: Settings, base: BaseConf) -> None:
        self.settings = settings
        self.base = base
        self.extra: list[Piece] = []
        self.etc = settings.asterisk_etc
        self.app = self._assemble()
        self.applier: Applier = self.app.extensions["pbxweb.applier"]

    @classmethod
    def of(cls, home: Path) -> Office:
        """The same house in another process."""
        settings, base = pickle.loads((home / "house.pickle").read_bytes())
        return cls(settings, base)

    def rooms(self) -> tuple[Room, ...]:
        """The rooms of this house."""
        return (
            phones_room,
            Room("base", read=lambda _session: self.base, render=base_conf.pieces),
            Room("extra", read=lambda _session: tuple(self.extra), render=lambda pieces: pieces),
        )

    def _assemble(self) -> Flask:
        app = Flask("pbxweb")
        app.extensions["pbxweb.settings"] = self.settings
        app.extensions["pbxweb.root"] = Path(__file__).resolve().parent.parent.parent
        app.extensions["pbxweb.vault"] = Vault(self.settings.secrets)
        app.extensions["pbxweb.applier"] = Applier(self.settings, self.rooms())
        app.secret_key = "only-for-this-test"
        languages.init_app(app)
        database.init_app(app, self.settings)
        return app

    @contextmanager
    def change(self, action: str = "extension.update", subject: str = "") -> Iterator[Change]:
        """A change by the administrator, in an application context of its own."""
        with self.app.app_context():
            try:
                with changing(ADMIN, action, subject) as change:
                    yield change
            finally:
                db.session.remove()

    def add(self, *numbers: str, name: str = "Phone", password: str = "secret") -> Change:
        """Add phones in one change."""
        with self.change("extension.create", " ".join(numbers)) as change:
            db.session.add_all([phone(number, f"{name} {number}", password) for number in numbers])
        return change

    def rename(self, number: str, name: str) -> Change:
        """Give a phone another name."""
        with self.change("extension.update", number) as change:
            row(number).display_name = name
        return change

    def remove(self, number: str) -> Change:
        """Delete a phone."""
        with self.change("extension.delete", number) as change:
            db.session.delete(row(number))
        return change

    def touch(self) -> Change:
        """A change of a phone's name, so that the extra pieces are rendered."""
        with self.change() as change:
            one = db.session.query(Extension).order_by(Extension.number).first()
            assert one is not None
            one.display_name = f"{one.display_name}."
        return change

    def texts(self) -> dict[str, str]:
        """Every file that Asterisk reads, as it is on the disk."""
        return {path.name: path.read_text() for path in sorted(self.etc.glob("*.conf"))}

    def hidden(self) -> list[str]:
        """What lies in the folder beside the files."""
        return sorted(path.name for path in self.etc.iterdir() if path.suffix != ".conf" or path.name[0] == ".")


class House(Office):
    """One instance below ``home`` with an Asterisk of its own."""

    def __init__(self, home: Path, engine_dir: Path) -> None:
        self.pbx = Pbx(home, engine_dir, rtp_ports=8)
        super().__init__(self.pbx.settings, self.pbx.base)
        folders = layout(self.settings)
        instance.prepare(folders, choose_tree(self.settings))
        make_certificate(folders.keys)
        make_sounds(folders.data)
        (home / "house.pickle").write_bytes(pickle.dumps((self.settings, self.base)))
        with self.app.app_context():
            db.create_all()

    def start(self) -> House:
        """Write the files, start Asterisk, connect."""
        with self.app.app_context():
            self.applier.reconcile()
        self.pbx.engine.ensure_running()
        self.pbx.ami.start()
        assert self.pbx.ami.wait(30), self.pbx.ami.problem
        self.applier.link = self.pbx.ami
        return self

    def stop(self) -> None:
        """End everything."""
        self.pbx.stop()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def names(self) -> dict[str, str]:
        """Number to caller id of every phone, as the running Asterisk has them."""
        _, events = self.pbx.ami.collect("PJSIPShowEndpoints")
        numbers = [e.get("ObjectName") for e in events if e.name == "EndpointList"]
        return {n: self.pbx.ami.getvar(f"PJSIP_ENDPOINT({n},callerid)") for n in numbers}

    def dialled(self, number: str) -> bool:
        """Does the running dialplan know the number?"""
        return self.pbx.ami.getvar(f"DIALPLAN_EXISTS(pbxweb-extensions,{number},1)") == "1"

    def runs_its_files(self) -> bool:
        """Does Asterisk run what the files say?"""
        for file in FILES:
            marker = marker_of(file, (self.etc / file).read_text())
            assert marker is not None
            if self.pbx.ami.getvar(marker.variable) != marker.value:
                return False
        return True


def phone(number: str, name: str, password: str = "secret") -> Extension:
    """A phone as the service would make it."""
    return Extension(
        number=number,
        display_name=name,
        sip_password=password,
        sip_digest=digest_of(number, password),
        codecs="opus,g722,pcma,pcmu",
    )


def row(number: str) -> Extension:
    """The phone of that number."""
    return db.session.query(Extension).filter_by(number=number).one()


def at_once(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run ``work(0)`` to ``work(count - 1)`` in a thread each; what they raised."""
    failed: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed
