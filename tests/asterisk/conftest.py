"""Fixtures that give tests a real Asterisk and real phones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxweb.asterisk.layout import private_tree
from pbxweb.settings import CHECKOUT
from tests.asterisk.pbx import Pbx, extension
from tests.asterisk.phones import Phones
from tests.asterisk.sipuser import SipUser

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
    yield shared_pbx
    shared_pbx.quiet()


@pytest.fixture
def phones(pbx: Pbx, tmp_path: Path) -> Iterator[Phones]:
    """Starts baresip phones at the shared Asterisk and ends them."""
    made = Phones(tmp_path / "phones", pbx.port, pbx.settings.sip_tls_port)
    yield made
    made.close()


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
