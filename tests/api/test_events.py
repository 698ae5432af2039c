"""The WebSocket of API clients: who gets in, what it understands, and that nobody's slowness is another's trouble."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import jwt
import pytest
import websocket
from flask import Flask
from werkzeug.serving import make_server

from pbxweb.api import events
from pbxweb.calls.models import call_id
from pbxweb.live import sockets
from pbxweb.live.feed import CALLS
from pbxweb.live.model import Call, CallChange
from pbxweb.live.sockets import seats
from pbxweb.runtime import Runtime
from pbxweb.storage.database import utcnow
from tests.asterisk.pbx import until
from tests.conftest import ApiClient

CALL = Call(id="1795260365.0", from_number="201", to_number="202")
SECRET_CALL = Call(id="1795260365.9", from_number="300", to_number="301")


@pytest.fixture
def runtime(app: Flask) -> Iterator[Runtime]:
    """What runs beside the web, not started: only its bus is used."""
    runtime = Runtime(app)
    yield runtime
    runtime.bus.close()


@pytest.fixture
def address(app: Flask, runtime: Runtime) -> Iterator[str]:
    """The application on a real port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"ws://127.0.0.1:{server.server_port}{events.PATH}"
    runtime.bus.close()
    server.shutdown()
    thread.join()


class Ear:
    """A client. ``hear`` is the next message; a closed socket is ``("CLOSED", code, reason)``."""

    def __init__(self, address: str, token: str = "", **more: Any) -> None:
        header = [f"Authorization: Bearer {token}"] if token else []
        self.ws = websocket.create_connection(address, timeout=30, header=header, **more)

    def say(self, message: Any) -> None:
        self.ws.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self) -> Any:
        opcode, data = self.ws.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return ("CLOSED", int.from_bytes(data[:2], "big"), data[2:].decode())
        return json.loads(data)

    def subscribe(self, *channels: str) -> Any:
        self.say({"type": "subscribe", "channels": list(channels)})
        return self.hear()


@pytest.fixture
def connect(address: str) -> Iterator[Callable[..., Ear]]:
    """Opens sockets: ``connect(token)``."""
    made: list[Ear] = []

    def make(token: str = "", **more: Any) -> Ear:
        made.append(Ear(address, token, **more))
        return made[-1]

    yield make
    for ear in made:
        with suppress(OSError, websocket.WebSocketException):
            ear.ws.close(timeout=1)


READY = {"type": "READY", "data": {"channels": ["calls", "presence"]}}


def test_the_header_or_the_first_message_signs_in(connect: Callable[..., Ear], api: Callable[..., ApiClient]) -> None:
    token = api("admin").token
    assert connect(token).hear() == READY
    late = connect()
    late.say({"type": "auth", "token": token})
    assert late.hear() == READY


@pytest.mark.parametrize("first", ['{"type": "auth", "token": "nonsense"}', '{"type": "subscribe"}', "[1", '"auth"'])
def test_without_a_good_token_the_socket_is_closed(connect: Callable[..., Ear], first: str) -> None:
    ear = connect()
    ear.say(first)
    assert ear.hear()[:2] == ("CLOSED", 4401)


def test_a_bad_header_is_refused_before_the_socket_opens(connect: Callable[..., Ear]) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect("nonsense")
    assert refused.value.status_code == 401


def test_silence_is_not_waited_for(connect: Callable[..., Ear], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SIGN_IN_SECONDS", 0.1)
    assert connect().hear()[:2] == ("CLOSED", 4401)


def test_a_token_in_the_url_counts_for_nothing(address: str, api: Callable[..., ApiClient]) -> None:
    ear = Ear(f"{address}?token={api('admin').token}&access_token={api('admin').token}")
    ear.say({"type": "subscribe", "channels": ["calls"]})
    assert ear.hear()[:2] == ("CLOSED", 4401)


def test_one_hears_only_what_one_has_subscribed_to(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], runtime: Runtime
) -> None:
    ear = connect(api("admin").token)
    ear.hear()
    assert ear.subscribe("calls", "calls")["data"]["channels"] == ["calls"]
    runtime.bus.publish(CALLS, CallChange("new", CALL))
    created = ear.hear()
    assert (created["type"], created["data"]["callId"]) == ("CALL_CREATED", call_id(CALL.id))
    assert {"fromNumber", "toNumber", "direction", "state"} <= set(created["data"])
    ear.say({"type": "unsubscribe", "channels": ["calls"]})
    assert ear.hear()["data"]["channels"] == []
    runtime.bus.publish(CALLS, CallChange("ended", CALL))
    assert ear.subscribe("presence")["type"] == "SUBSCRIBED"


@pytest.mark.parametrize(
    "message",
    ["no json", "[]", "5", "{}", '{"type": "dance"}', '{"type": "subscribe"}', '{"type": "subscribe", "channels": [1]}',
     '{"type": "auth"}', '{"type": "auth", "token": "nonsense"}', "[" * 5000, "\x00"],
)  # fmt: skip
def test_a_bad_message_is_answered_and_kills_nothing(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], message: str
) -> None:
    ear = connect(api("admin").token)
    ear.hear()
    ear.say(message)
    answer = ear.hear()
    assert answer["type"] == "ERROR"
    assert answer["data"]["detail"]
    assert ear.subscribe("calls")["type"] == "SUBSCRIBED"


def test_an_unknown_channel_is_named_and_the_others_are_subscribed(
    connect: Callable[..., Ear], api: Callable[..., ApiClient]
) -> None:
    ear = connect(api("admin").token)
    ear.hear()
    error = ear.subscribe("calls", "weather")
    assert (error["type"], error["data"]["code"]) == ("ERROR", "unknown-channel")
    assert ear.hear()["data"]["channels"] == ["calls"]


def test_people_hear_of_their_own_calls_only(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], runtime: Runtime, phone: Callable[..., str]
) -> None:
    agent = api("agent")
    assert agent.person
    phone("201", "Anna", agent.person.id)
    ear = connect(agent.token)
    ear.hear()
    ear.subscribe("calls")
    runtime.bus.publish(CALLS, CallChange("new", SECRET_CALL))
    runtime.bus.publish(CALLS, CallChange("new", CALL))
    runtime.bus.publish(CALLS, CallChange("changed", Call(id=CALL.id, from_number="300", to_number="301")))
    runtime.bus.publish(CALLS, CallChange("ended", CALL))
    heard = [ear.hear() for _ in range(2)]
    assert [event["type"] for event in heard] == ["CALL_CREATED", "CALL_LEFT"]
    assert {event["data"]["callId"] for event in heard} == {call_id(CALL.id)}
    assert ear.subscribe()["type"] == "SUBSCRIBED"  # nothing came after it was left
    assert heard[1]["data"] == {"callId": call_id(CALL.id)}


def test_a_revoked_sign_in_ends_the_socket(
    app: Flask, connect: Callable[..., Ear], api: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY", 0.1)
    client = api("user")
    ear = connect(client.token)
    ear.hear()
    assert client.post("/auth/logout").status_code in (200, 204)
    assert ear.hear() == ("CLOSED", 4401, "the access token is no longer good")


def _short(app: Flask, token: str, seconds: float) -> str:
    """The same token with less time left."""
    key = app.extensions["pbxweb.vault"].secret("api.key")
    claims = jwt.decode(token, key, ["HS256"])
    return jwt.encode({**claims, "exp": utcnow() + timedelta(seconds=seconds)}, key, "HS256")


def test_a_token_that_runs_out_ends_the_socket_and_a_newer_one_prolongs_it(
    app: Flask, connect: Callable[..., Ear], api: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY", 0.1)
    token = api("user").token
    short = _short(app, token, 2)
    lost, kept = connect(short), connect(short)
    lost.hear()
    kept.hear()
    kept.say({"type": "auth", "token": token})
    assert kept.hear() == READY
    assert lost.hear() == ("CLOSED", 4401, "the access token is no longer good")
    assert kept.subscribe("calls")["type"] == "SUBSCRIBED"


def test_the_token_of_somebody_else_prolongs_nothing(
    connect: Callable[..., Ear], api: Callable[..., ApiClient]
) -> None:
    ear = connect(api("user").token)
    ear.hear()
    ear.say({"type": "auth", "token": api("admin").token})
    assert ear.hear()["data"]["code"] == "unauthorized"


def test_a_slow_client_is_told_to_begin_anew_and_does_not_slow_others(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SEND_SECONDS", 120)
    token = api("admin").token
    slow = connect(token, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)])
    quick = connect(token)
    for ear in (slow, quick):
        ear.hear()
        ear.subscribe("calls")
    name = "n" * 4000
    for n in range(4000):
        runtime.bus.publish(CALLS, CallChange("new", Call(id=f"1795260365.{n}", from_name=name)))
        assert quick.hear()["type"] == "CALL_CREATED"
    heard = []
    while not heard or not isinstance(heard[-1], tuple):
        heard.append(slow.hear())
    assert heard[-2]["type"] == "RESYNC"
    assert heard[-1] == ("CLOSED", 1013, "too slow")


def test_who_takes_nothing_is_cut_off_and_never_gets_half_a_message(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SEND_SECONDS", 1)
    slow = connect(api("admin").token, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
    slow.hear()
    slow.subscribe("calls")
    name = "n" * 30_000
    for n in range(300):
        runtime.bus.publish(CALLS, CallChange("new", Call(id=f"1795260365.{n}", from_name=name)))
    time.sleep(5)  # far more than a second without a byte taken
    heard = []
    with suppress(websocket.WebSocketConnectionClosedException, ConnectionError):
        while True:
            heard.append(slow.hear())
    assert {one["type"] for one in heard} <= {"CALL_CREATED"}
    assert len(heard) < 300


def test_who_says_too_much_is_dropped(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MESSAGES_A_MINUTE", 3)
    ear = connect(api("admin").token)
    ear.hear()
    for _ in range(4):
        ear.say("{}")
    assert [ear.hear()["type"] for _ in range(3)] == ["ERROR"] * 3
    assert ear.hear()[:2] == ("CLOSED", 1008)


def test_the_seats_are_given_back(app: Flask, connect: Callable[..., Ear], api: Callable[..., ApiClient]) -> None:
    token = api("admin").token
    room = seats(app)
    most = room.total // 2
    ears = [connect(token) for _ in range(most)]
    assert [ear.hear() for ear in ears] == [READY] * most
    assert connect(token).hear()[:2] == ("CLOSED", 1013)
    ears[0].ws.close()
    until(lambda: connect(token).hear() == READY, what="a free seat")


def test_strangers_cannot_take_the_seats_of_those_who_have_signed_in(
    app: Flask, connect: Callable[..., Ear], api: Callable[..., ApiClient]
) -> None:
    strangers = [connect() for _ in range(seats(app).total // 4)]
    assert connect().hear()[:2] == ("CLOSED", 1013)
    strangers[0].say({"type": "auth", "token": api("admin").token})
    assert strangers[0].hear() == READY


def test_everybody_is_sent_away_when_the_web_stops(
    connect: Callable[..., Ear], api: Callable[..., ApiClient], runtime: Runtime
) -> None:
    ear = connect(api("admin").token)
    ear.hear()
    runtime.bus.close()
    assert ear.hear() == ("CLOSED", 1013, "pbxweb is restarting")


def test_a_name_is_given_once(app: Flask) -> None:
    with pytest.raises(ValueError, match="twice"):
        events.add(app, events.Channel("calls", "calls.live", (), lambda: None))  # type: ignore[arg-type, return-value]
