"""From nothing to two people who hear each other, through the API alone."""

from __future__ import annotations

from tests.asterisk.pbx import until
from tests.asterisk.phones import Phones
from tests.served import Served


def test_the_api_alone_leads_to_a_call(served: Served, handsets: Phones) -> None:
    made = served.set_up(phones=2)
    first, second = (
        handsets.add(phone["number"], password=phone["password"], hertz=tone, answer=answer)
        for phone, tone, answer in zip(made, (440, 620), ("manual", "auto"), strict=True)
    )
    first.dial(second.number).talking()
    second.talking()
    assert first.hears(620)
    assert second.hears(440)
    assert first.hears(620, seconds=10, timeout=60)
    assert second.hears(440, seconds=10, timeout=60)
    live = served.api("GET", "/calls").body["data"]
    assert [(call["callerNumber"], call["calleeNumber"], call["state"]) for call in live] == [
        (first.number, second.number, "answered")
    ]
    first.hang_up()
    row = until(served.history, what="the call in the history")[0]
    assert row["disposition"] == "answered"
    assert 20 <= row["talkSeconds"] <= 60


def test_the_setup_works_once(served: Served) -> None:
    served.set_up(phones=1)
    again = served.api("POST", "/setup", {"code": served.setup_code(), "email": "eve@example.org"}, token="")
    assert again.status in (404, 409), again
