"""Ten calls go on while fifty phones are changed; every change is live when its answer arrives."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.asterisk.pbx import until
from tests.asterisk.phones import Phone, Phones
from tests.asterisk.sound import read_growing, share
from tests.served import Served


def _ear(phone: Phone) -> tuple[np.ndarray, int]:
    """Everything that a phone has heard in its call."""
    return read_growing(max(phone.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime))


def _unhurt(phone: Phone, hertz: int, heard_before: int, elapsed: float) -> bool:
    """Whether the other one's tone came without a gap since ``heard_before`` samples, ``elapsed`` seconds ago."""
    samples, rate = _ear(phone)
    since = samples[heard_before:]
    pieces = [since[at : at + rate // 2] for at in range(0, len(since) - rate // 2, rate // 2)]
    clear = sum(share(piece, rate, hertz) > 0.8 for piece in pieces)
    whole = len(since) >= 0.9 * elapsed * rate - rate
    return whole and clear >= 0.95 * len(pieces) > 0 and not phone.saw("CALL_CLOSED")


def test_changes_hurt_no_call_and_are_live_at_once(served: Served, handsets: Phones) -> None:
    made = served.set_up(phones=20)
    more = served.api("POST", "/extensions/bulk", {"firstNumber": "300", "count": 50, "namePattern": "More {number}"})
    assert more.status == 201, more
    phones = [
        handsets.start(p["number"], password=p["password"], hertz=400 + 40 * n, answer="auto" if n % 2 else "manual")
        for n, p in enumerate(made)
    ]
    for phone in phones:
        phone.registered()
    pairs = list(zip(phones[::2], phones[1::2], strict=True))
    for caller, called in pairs:
        caller.dial(called.number)
    for caller, called in pairs:
        caller.talking(20)
        called.talking(20)

    ids = {e["number"]: e["id"] for e in _all_extensions(served)}
    engine = served.engine()

    def change(phone: dict[str, str]) -> None:
        name = f"Changed {phone['number']}"
        answer = served.api("PATCH", f"/extensions/{ids[phone['number']]}", {"displayName": name})
        assert answer.status == 200, answer
        shown = engine.cli(f"pjsip show endpoint {phone['number']}")
        assert name in shown, shown

    for caller, called in pairs:
        assert caller.hears(called.hertz)
        assert called.hears(caller.hertz)
    both = [pair for caller, called in pairs for pair in ((caller, called), (called, caller))]
    heard = {ear.number: len(_ear(ear)[0]) for ear, _mouth in both}
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, more.body["data"]))
    time.sleep(1)
    elapsed = time.monotonic() - began
    hurt = [ear.number for ear, mouth in both if not _unhurt(ear, mouth.hertz, heard[ear.number], elapsed)]
    assert hurt == []

    created = served.api("POST", "/extensions", {"number": "399", "displayName": "Just made"})
    assert created.status == 201, created
    newcomer = handsets.add("399", password=created.body["sipPassword"], answer="auto", hertz=1500)
    pairs[0][0].hang_up()
    pairs[0][0].closed()
    pairs[0][0].forget()
    pairs[0][0].dial("399").talking()
    assert newcomer.hears(pairs[0][0].hertz)
    for phone in phones:
        phone.hang_up()
    until(lambda: served.api("GET", "/calls").body["data"] == [], what="all calls to end")


def _all_extensions(served: Served) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for page in (1, 2):
        found += served.api("GET", f"/extensions?limit=100&page={page}").body["data"]
    return found
