"""Fixtures that give tests a real Asterisk and real phones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxweb.asterisk.layout import private_tree
from pbxweb.settings import CHECKOUT
from tests.asterisk.pbx import Pbx, extension
from tests.asterisk.phones import Phones, phones_at
from tests.asterisk.sipuser import SipUser
from tests.served import Served

# The phones of the shared Asterisk. 200 to 205 are plain, in one pickup group; the others are special in one thing.
PHONES = (
    *(extension(str(number), pickup_group="house", ring_seconds=5) for number in range(200, 206)),
    extension("210", language="de", ring_seconds=5),
    extension("211", max_calls=1, ring_seconds=5),
    extension("212", transport="tls", ring_seconds=5),
    extension("213", transport="tls", ring_seconds=5),
    extension("214", pickup_group="other", ring_seconds=5),
    extension("215", transport="tcp", ring_seconds=5),
)


@pytest.fixture(scope="session")
def engine_dir() -> Path:
    """The folder with the unpacked Asterisk that ``app.py engine install`` makes."""
    folder = CHECKOUT / "var" / "engine"
    assert private_tree(folder).complete, "no Asterisk here: run `python app.py engine install` first"
    return folder


@pytest.fixture(scope="session")
def shared_pbx(tmp_path_factory: pytest.TempPathFactory, engine_dir: Path) -> Iterator[Pbx]:
    """One Asterisk for all tests of a session that do not break it."""
    pbx = Pbx(tmp_path_factory.mktemp("pbx"), engine_dir)
    try:
        yield pbx.start(PHONES)
    finally:
        pbx.stop()


@pytest.fixture
def pbx(shared_pbx: Pbx) -> Iterator[Pbx]:
    """The shared Asterisk, quiet before and after."""
    shared_pbx.quiet()
    shared_pbx.forget()
    yield shared_pbx
    shared_pbx.quiet()


@pytest.fixture
def phones(pbx: Pbx, tmp_path: Path) -> Iterator[Phones]:
    """Starts baresip phones at the shared Asterisk and ends them."""
    with phones_at(pbx.settings, tmp_path / "phones") as made:
        yield made


@pytest.fixture
def sip(pbx: Pbx) -> Iterator[Callable[..., SipUser]]:
    """Makes hand-written SIP phones at the shared Asterisk: ``sip("200", name=…, password=…)``."""
    made: list[SipUser] = []

    def make(number: str, **options: str) -> SipUser:
        made.append(SipUser(number, pbx.port, **options))
        return made[-1]

    yield make
    for user in made:
        user.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One served instance with three phones for the tests of a module."""
    instance = Served(tmp_path_factory.mktemp("served") / "var")
    try:
        instance.start()
        instance.made = instance.set_up(phones=3)  # type: ignore[attr-defined]
        instance.wait_online()
        yield instance
    finally:
        instance.close()


@pytest.fixture
def handsets(served: Served, tmp_path: Path) -> Iterator[Phones]:
    """baresip phones at it."""
    with phones_at(served.settings, tmp_path / "phones") as made:
        yield made
