"""A call in the served product with 500 phones: its way to the browser, its bytes, its cost for Asterisk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxweb.storage.secrets import Vault
from tests.asterisk.sipuser import SipUser
from tests.bench.conftest import Full
from tests.bench.people import Browser, Listener, Page
from tests.bench.tables import milliseconds, table
from tests.served import Served

TO_BROWSER_BAR, BYTES_BAR, CPU_BAR = 0.015, 0.35, 1.3
EVERYTHING = "\n[everything]\nsecret = everything\nread = all\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.0.0.0\n"


def listener(served: Served) -> Listener:
    """Hears exactly what pbxweb hears."""
    return Listener(served.settings.ami_port, "pbxweb", Vault(served.settings.secrets).text("ami"))


@contextmanager
def call(caller: SipUser, called: SipUser) -> Iterator[None]:
    """An answered call."""
    dialog = caller.invite(called.number)
    assert dialog.final is not None
    assert dialog.final.status == 200, dialog.final
    yield
    caller.bye(dialog)


def test_from_the_event_to_the_browser(full: Full) -> None:
    """One page, the overview, with all its live parts open, as a browser has it."""
    served = full.served
    caller, called = full.phones[0], full.phones[1]
    called.reply = (180, 200)
    raw = listener(served)
    raw.wanted = f"PJSIP/{caller.number}-".encode()
    page = Page(Browser(served).sign_in(), caller.number)
    page.when(listed=False)
    to_asterisk, to_page, whole = [], [], []
    for _ in range(40):
        raw.seen.clear()
        page.told.clear()
        with call(caller, called):
            told = page.when(listed=True)
            to_asterisk.append(raw.seen[0] - caller.invited)
            to_page.append(told - raw.seen[0])
            whole.append(told - caller.invited)
            time.sleep(0.3)
            page.told.clear()
        page.when(listed=False)
        time.sleep(0.3)
    page.close()
    raw.close()
    ours = statistics.median(to_page)
    table(
        "From the INVITE's AMI event to the browser's WebSocket (median of 40; bar: 15 ms)",
        [
            ("floor: INVITE to the event at a bare socket", milliseconds(statistics.median(to_asterisk))),
            ("event at a bare socket to the page's message", milliseconds(ours)),
            ("slowest", milliseconds(max(to_page))),
            ("INVITE to the page's message", milliseconds(statistics.median(whole))),
        ],
    )
    assert ours <= TO_BROWSER_BAR


def test_ami_bytes_of_a_two_leg_call(full: Full) -> None:
    """Through our dialplan, with the product's own manager.conf, beside an account that hears everything."""
    served = full.served
    caller, called = full.phones[2], full.phones[3]
    called.reply = (180, 200)
    file = served.settings.asterisk_etc / "manager.conf"
    text = file.read_text()
    file.write_text(text + EVERYTHING)
    served.engine().cli("manager reload")
    file.write_text(text)
    ours, everything = listener(served), Listener(served.settings.ami_port, "everything", "everything")
    time.sleep(1)
    mine, all_of_it = [], []
    for _ in range(7):
        before = ours.received, everything.received
        with call(caller, called):
            time.sleep(0.5)
        time.sleep(0.5)
        mine.append(ours.received - before[0])
        all_of_it.append(everything.received - before[1])
    ours.close()
    everything.close()
    served.engine().cli("manager reload")
    ratio = statistics.median(mine) / statistics.median(all_of_it)
    table(
        "AMI bytes of a two-leg call (bar: 0.35 of all)",
        [
            ("floor: all that Asterisk would send", f"{statistics.median(all_of_it):.0f}"),
            ("received", f"{statistics.median(mine):.0f}"),
            ("ratio", f"{ratio:.3f}"),
        ],
    )
    assert ratio <= BYTES_BAR


def test_asterisk_cpu_of_a_call(full: Full) -> None:
    """Through our dialplan, beside a dialplan of two lines that is added to the same Asterisk."""
    served = full.served
    engine = served.engine()
    caller, called = full.phones[4], full.phones[5]
    called.reply = (180, 200)
    for line in (f"9001,1,Dial(PJSIP/{called.number})", "9001,2,Hangup()"):
        engine.cli(f"dialplan add extension {line} into pbxweb-phones")
    pid = engine.status().pid
    assert pid

    def spent() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def calls(number: str, count: int = 100) -> float:
        before = spent()
        for _ in range(count):
            dialog = caller.invite(number)
            assert dialog.final is not None
            assert dialog.final.status == 200, dialog.final
            caller.bye(dialog)
        time.sleep(0.5)
        return (spent() - before) / count

    calls(called.number, 10)
    plain, ours = [], []
    for _ in range(5):
        plain.append(calls("9001"))
        ours.append(calls(called.number))
    floor, mine = statistics.median(plain), statistics.median(ours)
    table(
        "Asterisk CPU of a phone-to-phone call (bar: 1.3 times a two-line dialplan)",
        [
            ("floor: two lines", milliseconds(floor)),
            ("through our dialplan", milliseconds(mine)),
            ("times", f"{mine / floor:.2f}"),
        ],
    )
    assert mine <= CPU_BAR * floor
