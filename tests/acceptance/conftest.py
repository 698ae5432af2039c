"""A served instance per test, and phones at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asterisk.phones import Phones, phones_at
from tests.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """pbxweb as its owner starts it, before the first run. Asterisk complains of nothing that nobody explains."""
    instance = Served(tmp_path / "var")
    try:
        yield instance.start()
        assert instance.complaints() == []
    finally:
        instance.close()


@pytest.fixture
def handsets(served: Served, tmp_path: Path) -> Iterator[Phones]:
    """baresip phones at the served instance."""
    with phones_at(served.settings, tmp_path / "phones") as made:
        yield made
