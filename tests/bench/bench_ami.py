"""AMI: how much is received of what Asterisk would send, and how fast an event is on the bus, each with its floor."""

# ruff: noqa: F811 - a fixture is imported and named as a parameter
from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from pbxweb.asterisk.ami import AmiLink, Event
from pbxweb.live.model import CallChange, State
from pbxweb.live.state import reduce
from tests.live.conftest import Watch, asterisk, phone, watch, watcher  # noqa: F401 - fixtures
from tests.live.sip_phone import SipPhone
from tests.live.small_asterisk import SECRET, SmallAsterisk

Phone = Callable[..., SipPhone]


def table(title: str, rows: list[tuple[str, str]]) -> None:
    """Print what was measured."""
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:<52} {value:>14}")


def test_bytes_of_a_two_leg_call(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    everything = AmiLink("127.0.0.1", asterisk.ami_port, "all", SECRET, keepalive=600)
    everything.start()
    assert everything.wait(10)
    caller, called = phone(asterisk, "101"), phone(asterisk, "102")
    time.sleep(1)
    watch.feed.stop()
    ours, floor = [], []
    for _ in range(5):
        before = watch.link.received_bytes, everything.received_bytes
        dialog = caller.call("102")
        watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
        caller.hang_up(dialog)
        watch.quiet()
        time.sleep(0.3)
        ours.append(watch.link.received_bytes - before[0])
        floor.append(everything.received_bytes - before[1])
    everything.stop()
    assert called.rung.is_set()
    mine, all_of_it = statistics.median(ours), statistics.median(floor)
    table(
        "AMI bytes of a two-leg call (bar: 0.35 of all)",
        [
            ("all that Asterisk sends", f"{all_of_it:.0f}"),
            ("received", f"{mine:.0f}"),
            ("ratio", f"{mine / all_of_it:.3f}"),
        ],
    )
    assert mine / all_of_it <= 0.35


class RawReader:
    """The floor: a socket that reads the same events and looks for the name, nothing else."""

    def __init__(self, port: int) -> None:
        self._peer = socket.create_connection(("127.0.0.1", port))
        self._peer.sendall(f"Action: Login\r\nUsername: pbxweb\r\nSecret: {SECRET}\r\n\r\n".encode())
        self.seen: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        buffer = b""
        while data := self._peer.recv(65536):
            now = time.perf_counter()
            buffer += data
            *blocks, buffer = buffer.split(b"\r\n\r\n")
            if any(b"Event: Newchannel" in block and b"PJSIP/101-" in block for block in blocks):
                self.seen.append(now)

    def close(self) -> None:
        """End the connection."""
        self._peer.shutdown(socket.SHUT_RDWR)
        self._peer.close()
        self._thread.join(2)


def test_from_the_invite_to_the_bus(asterisk: SmallAsterisk, watch: Watch, phone: Phone) -> None:
    raw = RawReader(asterisk.ami_port)
    caller = phone(asterisk, "101")
    phone(asterisk, "102")
    told = watch.bus.subscribe(["calls"])
    time.sleep(1)
    floor, bus = [], []
    for _ in range(40):
        raw.seen.clear()
        sent = time.perf_counter()
        dialog = caller.call("102")
        while (message := told.get(5)) is not None:
            if isinstance(message.payload, CallChange) and message.payload.kind == "new":
                bus.append((time.perf_counter() - sent) * 1000)
                break
        watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
        floor.append((raw.seen[0] - sent) * 1000)
        caller.hang_up(dialog)
        watch.quiet()
        told.drain(0.05)
    raw.close()
    ours, least = statistics.median(bus), statistics.median(floor)
    table(
        "From the INVITE to a subscriber of the bus (median of 40, ms)",
        [
            ("raw socket", f"{least:.2f}"),
            ("bus", f"{ours:.2f}"),
            ("our share", f"{ours - least:.2f}"),
            ("slowest", f"{max(bus):.2f}"),
        ],
    )
    assert ours - least <= 5


def test_events_a_second_do_not_depend_on_how_many_calls_there_are(
    asterisk: SmallAsterisk,
    watch: Watch,
    phone: Phone,
) -> None:
    caller = phone(asterisk, "101")
    phone(asterisk, "102")
    watch.events.clear()
    dialog = caller.call("102")
    watch.until(lambda now: sum(1 for leg in now.channels.values() if leg.bridge) == 2)
    caller.hang_up(dialog)
    watch.quiet()
    recorded = [event for event in watch.events if "Uniqueid" in event.headers]
    empty = replace(State(), at=None)
    crowded = empty
    for number in range(500):
        for event in recorded[:11]:
            crowded, _ = reduce(crowded, renumbered(event, f"9{number}"))
    rates = {}
    for name, start in (("no other call", empty), ("500 other calls", crowded)):
        state = start
        begun = time.perf_counter()
        for number in range(100):
            for event in recorded:
                state, _ = reduce(state, renumbered(event, f"8{number}"))
        rates[name] = 100 * len(recorded) / (time.perf_counter() - begun)
    table("Reducer, events a second", [(name, f"{rate:,.0f}") for name, rate in rates.items()])
    assert rates["500 other calls"] >= 3000


def renumbered(event: Event, tag: str) -> Event:
    """The same event of another call."""
    headers = dict(event.headers)
    for name in ("Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid"):
        if name in headers:
            headers[name] = f"{headers[name]}{tag}"
    return Event(headers)
