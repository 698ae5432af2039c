"""Phones at a served instance, and calls that are begun through its API."""

from __future__ import annotations

from tests.asterisk.pbx import until
from tests.asterisk.phones import Phone, Phones
from tests.served import Served


def sign_in(served: Served, handsets: Phones, index: int, **options: object) -> Phone:
    """Start the phone number ``index`` and wait until pbxweb knows that it is there."""
    row = served.made[index]  # type: ignore[attr-defined]
    password = row.get("sipPassword") or row["password"]
    return handsets.add(row["number"], password=password, **options)


def originate(served: Served, source: str, target: str) -> str:
    answer = until(
        lambda: (a := served.api("POST", "/calls/originate", {"from": source, "to": target})).status != 409 and a,
        what="the phone to be signed in",
    )
    assert answer.status == 201, answer
    assert answer.body["status"] == "initiated"
    return str(answer.body["callId"])
