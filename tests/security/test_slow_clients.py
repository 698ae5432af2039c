"""Clients that send slowly, never end or take no answer keep neither their own nor other addresses from the pages."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxweb.worker import BODY_BYTES, HEAD_BYTES, Part, judge
from tests.served import Served

ATTACKER, OTHER = "127.0.0.66", "127.0.0.77"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
MANY = 80


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """pbxweb as its owner starts it."""
    instance = Served(tmp_path_factory.mktemp("slow") / "var")
    try:
        yield instance.start()
    finally:
        instance.close()


@pytest.fixture
def attack(served: Served) -> Iterator[Callable[..., list[socket.socket]]]:
    """``attack(data, count)``: so many connections from one address that send ``data`` and no more."""
    made: list[socket.socket] = []

    def begin(data: bytes, count: int = MANY) -> list[socket.socket]:
        fresh = []
        for _ in range(count):
            address = (served.settings.http.host, served.settings.http.port)
            connection = socket.create_connection(address, timeout=20, source_address=(ATTACKER, 0))
            fresh.append(connection)
            made.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall(data)
        time.sleep(0.3)
        return fresh

    yield begin
    for connection in made:
        connection.close()


def _status(served: Served, source: str, timeout: float = 8.0) -> int:
    settings = served.settings.http
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout, source_address=(source, 0))
    try:
        connection.request("GET", "/api/v1/system/status")
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        POST + b"Content-Length: 900\r\n\r\n{",
        POST + b"Content-Length: 900000\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"GET /login HTTP/1.1\r\nHost: x\r\n\r\nGET /login HTTP/1.1\r\nX: ",
    ],
    ids=["silent", "half a header", "half a body", "half an upload", "half a stream", "half a second request"],
)
def test_who_never_ends_keeps_nobody_from_the_pages(
    served: Served, attack: Callable[..., list[socket.socket]], data: bytes
) -> None:
    attack(data)
    assert _status(served, OTHER) == 200
    assert _status(served, ATTACKER) == 200


def test_who_takes_no_answer_keeps_others_from_nothing(
    served: Served, attack: Callable[..., list[socket.socket]]
) -> None:
    page = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    for connection in attack(b"", 60):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        with contextlib.suppress(OSError):
            connection.sendall(page * 40)
    time.sleep(1)
    assert _status(served, OTHER) == 200


def test_one_address_cannot_hold_all_connections(served: Served, attack: Callable[..., list[socket.socket]]) -> None:
    attack(b"", 300)
    assert _status(served, OTHER) == 200


def test_what_takes_too_long_is_closed_and_says_so(served: Served, attack: Callable[..., list[socket.socket]]) -> None:
    (connection,) = attack(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ", 1)
    assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert connection.recv(1000) == b""


def test_a_header_without_end_is_refused(served: Served, attack: Callable[..., list[socket.socket]]) -> None:
    (connection,) = attack(b"GET /login HTTP/1.1\r\nX: " + b"x" * (HEAD_BYTES + 1), 1)
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_a_request_in_pieces_and_two_at_once_are_answered(
    served: Served, attack: Callable[..., list[socket.socket]]
) -> None:
    whole = b"GET /api/v1/system/status HTTP/1.1\r\nHost: x\r\n\r\n"
    (connection,) = attack(whole[:20], 1)
    connection.sendall(whole[20:] + whole)
    said = b""
    while said.count(b"HTTP/1.1 200") < 2:
        more = connection.recv(65536)
        assert more, said
        said += more


@given(st.integers(0, BODY_BYTES), st.integers(0, 100))
def test_a_request_is_whole_when_all_of_its_body_is_here(length: int, missing: int) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % length
    body = b"x" * max(0, length - missing)
    assert judge(head + body) is (Part.WHOLE if len(body) == length else Part.SOME)


@pytest.mark.parametrize("value", [b"-1", b"1, 1", b"x", b"", b"1\r\nContent-Length: 2", b"9" * 20])
def test_a_malformed_length_is_left_to_be_refused(value: bytes) -> None:
    assert judge(b"POST / HTTP/1.1\r\nContent-Length: " + value + b"\r\n\r\n") is Part.WHOLE
