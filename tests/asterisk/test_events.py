"""What a client of ``/api/v1/events`` hears of real phones and their calls at the served product."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import websocket

from pbxweb.settings import CHECKOUT
from tests.asterisk.clicks import originate, sign_in
from tests.asterisk.pbx import until
from tests.asterisk.phones import Phones
from tests.served import EMAIL, PASSWORD, Served


class Ear:
    """A client that is subscribed to both channels. ``heard`` is all it was told, in order."""

    def __init__(self, ws: websocket.WebSocket) -> None:
        self._ws = ws
        self.heard: list[dict[str, Any]] = []
        assert self.next()["type"] == "READY"
        ws.send(json.dumps({"type": "subscribe", "channels": ["calls", "presence"]}))
        assert self.next()["type"] == "SUBSCRIBED"

    def next(self) -> dict[str, Any]:
        self.heard.append(json.loads(self._ws.recv()))
        return self.heard[-1]

    def wait(self, kind: str, **data: object) -> dict[str, Any]:
        """The data of the next event of that type with these values."""
        while True:
            event = self.next()
            if event["type"] == kind and data.items() <= event["data"].items():
                found: dict[str, Any] = event["data"]
                return found

    def story(self, call: str) -> list[str]:
        """The types of all events of a call so far; what only completes a name does not count."""
        types = [e["type"] for e in self.heard if e["data"].get("callId") == call]
        return [kind for kind in types if kind != "CALL_UPDATED"]


@pytest.fixture
def ear(served: Served) -> Iterator[Ear]:
    """An API client's socket."""
    address = served.url.replace("http", "ws", 1) + "/api/v1/events"
    token = f"Authorization: Bearer {served.token}"
    with closing(websocket.create_connection(address, timeout=30, header=[token])) as ws:
        yield Ear(ws)


WHOLE = ["CALL_CREATED", "CALL_RINGING", "CALL_ANSWERED", "CALL_ENDED"]


def test_a_call_between_two_phones_is_told_from_its_beginning_to_its_end(
    served: Served, handsets: Phones, ear: Ear
) -> None:
    anna = sign_in(served, handsets, 0)
    assert ear.wait("PRESENCE_UPDATED", number=anna.number, online=True)["registrations"]
    bert = sign_in(served, handsets, 1)
    ear.wait("PRESENCE_UPDATED", number=bert.number, online=True)
    began = time.monotonic()
    anna.dial(bert.number)
    ear.wait("CALL_RINGING", fromNumber=anna.number, toNumber=bert.number)
    bert.answer()
    call = ear.wait("CALL_ANSWERED", fromName=f"Phone {anna.number}", toName=f"Phone {bert.number}")
    time.sleep(1.2)
    anna.hang_up()
    end = ear.wait("CALL_ENDED", callId=call["callId"])
    assert (end["endReason"], end["direction"], end["state"]) == ("completed", "internal", "ended")
    assert 1 <= end["duration"] <= time.monotonic() - began
    assert ear.story(call["callId"]) == WHOLE
    until(lambda: served.api("GET", f"/calls/{call['callId']}").status == 200, what="the call in the history")


def test_a_click_is_told_like_a_call_that_was_dialled(served: Served, handsets: Phones, ear: Ear) -> None:
    anna, bert = sign_in(served, handsets, 0), sign_in(served, handsets, 1)
    key = originate(served, anna.number, bert.number)
    created = ear.wait("CALL_CREATED")
    assert [created[name] for name in ("callId", "fromNumber", "toNumber", "direction")] == [
        key, anna.number, bert.number, "internal",
    ]  # fmt: skip
    anna.answer()
    bert.answer()
    bert.hang_up()
    ear.wait("CALL_ENDED", callId=key, endReason="completed")
    assert ear.story(key) == WHOLE


def test_do_not_disturb_dialled_at_a_phone_is_told(served: Served, handsets: Phones, ear: Ear) -> None:
    anna = sign_in(served, handsets, 0)
    for code, on in (("*78", True), ("*79", False)):
        anna.dial(code).closed()
        ear.wait("PRESENCE_UPDATED", number=anna.number, dndEnabled=on)
        anna.forget()


def test_the_handbooks_example_works(served: Served, tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "handbook" / "api.md").read_text()
    text = page.partition("```python\n")[2].partition("```")[0]
    for placeholder, real in (
        ('"http://127.0.0.1:8090/api/v1"', f'"{served.url}/api/v1"'), ("you@example.com", EMAIL), ("…", PASSWORD),
    ):  # fmt: skip
        assert placeholder in text
        text = text.replace(placeholder, real)
    program = tmp_path / "example.py"
    program.write_text(text)
    with subprocess.Popen([sys.executable, "-u", program], stdout=subprocess.PIPE, text=True) as example:
        assert example.stdout
        try:
            said = [example.stdout.readline().split()[0] for _ in range(2)]
        finally:
            example.kill()
    assert said == ["READY", "SUBSCRIBED"]
