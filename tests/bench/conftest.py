"""The served product with 500 phones, all registered, and a history of 100,000 calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.bench.bench_history import fill
from tests.bench.people import Phone
from tests.served import Served

PHONES, CALLS = 500, 100_000


@dataclass(frozen=True)
class Full:
    """The instance and its phones."""

    served: Served
    phones: list[Phone]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    """One for all measurements of a file; nothing of it lives while another file measures."""
    served = Served(tmp_path_factory.mktemp("bench") / "var").start()
    phones: list[Phone] = []
    try:
        served.set_up(phones=0, digits=4)
        wanted = {"firstNumber": "2000", "count": PHONES, "namePattern": "Phone {number}"}
        made = served.api("POST", "/extensions/bulk", wanted)
        assert made.status == 201, made
        for row in made.body["data"]:
            phones.append(Phone(row["number"], served.settings.sip_bind.port, password=row["sipPassword"]))
            assert phones[-1].register(expires=3600) == 200
        fill(served.settings.database, CALLS)
        yield Full(served, phones)
    finally:
        for phone in phones:
            phone.close()
        served.close()
