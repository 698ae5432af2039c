"""gunicorn's threads, kept for requests that are here whole: who sends slowly or never ends takes nobody's thread.

One address can hold neither all connections nor all threads, so its neighbours notice nothing of it.
"""

from __future__ import annotations

import contextlib
import errno
import re
import selectors
import socket
import struct
import time
from collections import Counter, deque
from enum import Enum, auto
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

REQUEST_SECONDS = 10.0  # from a request's first byte (or the connection's beginning) to its last
UPLOAD_SECONDS = 60.0
SEND_SECONDS = 20  # how long a client may take nothing of its answer
HEAD_BYTES = 64 * 1024
BODY_BYTES = 64 * 1024  # a larger body is read by the thread that works on it
UPLOADS_AT_ONCE = 4
LEFT_FOR_OTHERS = 6  # threads
# Reading over the API is work for the processor alone: more at once are not answered sooner, but slow every page down.
READS_AT_ONCE = 4
READS_OF_ONE = 2  # of one address, so that who takes its answers slowly does not keep the others waiting
READ_BYTES = 64 * 1024
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*)", re.IGNORECASE)
API_READ = re.compile(rb"(?:GET|HEAD) /api/")
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
STREAMED = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)
TIMED_OUT = b"408 Request Timeout"
TOO_LONG = b"431 Request Header Fields Too Large"


class Part(Enum):
    """How much of a request is here."""

    SOME = auto()
    WHOLE = auto()
    UPLOAD = auto()
    TOO_LONG = auto()


def judge(data: bytes) -> Part:
    """What ``data``, the beginning of a request, is. A malformed one counts as whole, because it is refused."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return Part.TOO_LONG if len(data) > HEAD_BYTES else Part.SOME
    if STREAMED.search(head):
        return Part.UPLOAD
    lengths = LENGTH.findall(head)
    if len(lengths) != 1 or not re.fullmatch(rb"\d{1,12}", lengths[0].strip()):
        return Part.WHOLE
    length = int(lengths[0])
    if length > BODY_BYTES:
        return Part.UPLOAD
    return Part.WHOLE if len(body) >= length else Part.SOME


def reads_api(data: bytes) -> bool:
    """Whether this whole request reads over the API; a WebSocket does not, it stays."""
    head = data.partition(b"\r\n\r\n")[0]
    return API_READ.match(head) is not None and UPGRADE.search(head) is None


class Connection(TConn):  # type: ignore[misc]
    """One client's connection. ``deadline`` is when its request must be here (seconds of the monotonic clock)."""

    def __init__(self, worker: Worker, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, client, server)
        self.host = str(client[0]) if client else ""
        self.deadline = 0.0
        self.reads = False
        self._worker: Worker | None = worker
        worker.connections[self.host] += 1

    def close(self, graceful: bool = False) -> None:
        """Close it, once."""
        if self._worker is not None:
            self._worker.connections[self.host] -= 1
            self._worker = None
        super().close(graceful)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with a gate before its threads. Everything here runs in the one main thread."""

    def init_process(self) -> None:
        """gunicorn begins."""
        self.connections: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._reading: Counter[str] = Counter()
        self._uploads: dict[Connection, float] = {}
        self._waiting: deque[tuple[Connection, Part]] = deque()
        # Then everybody comes from the proxy's address, and the proxy waits for who sends slowly.
        self.behind_proxy: bool = self.app.behind_proxy
        super().init_process()

    def notify(self) -> None:
        """Show the parent that the main thread moves."""
        super().notify()
        self.app.pulse.beat()

    def accept(self, listener: socket.socket) -> None:
        """A new connection; of one address at most half of all there may be."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        conn = Connection(self, sock, client, listener.getsockname())
        self.nr_conns += 1
        if not self.behind_proxy and self.connections[conn.host] > self.worker_connections // 2:
            self._drop(conn)
        else:
            self.enqueue_req(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """Something of a request may be here: give it to a thread when it is whole, else wait for the rest."""
        conn.init()
        conn.sock.setblocking(False)
        conn.deadline = conn.deadline or time.monotonic() + REQUEST_SECONDS
        data = conn.parser.unreader.take_buffered()
        part = judge(data)
        if part is Part.SOME:
            try:
                more = conn.sock.recv(READ_BYTES)
            except BlockingIOError:
                self._wait(conn, data)
                return
            except OSError:
                more = b""
            if not more:
                self._drop(conn)
                return
            data += more
            part = judge(data)
        if part is Part.SOME:
            self._wait(conn, data)
        elif part is Part.TOO_LONG:
            self._drop(conn, TOO_LONG)
        else:
            conn.parser.unreader.unread(data)
            conn.reads = part is Part.WHOLE and reads_api(data)
            self._waiting.append((conn, part))
            self._start_waiting()

    def _wait(self, conn: Connection, data: bytes) -> None:
        conn.parser.unreader.unread(data)
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _start_waiting(self) -> None:
        """Give everything that is whole to a thread, as far as its address and its kind have threads left."""
        most = self.cfg.threads if self.behind_proxy else max(1, self.cfg.threads - LEFT_FOR_OTHERS)
        for conn, part in tuple(self._waiting):
            if self._running[conn.host] >= most or (part is Part.UPLOAD and len(self._uploads) >= UPLOADS_AT_ONCE):
                continue
            if conn.reads and self._enough_reads(conn):
                continue
            self._waiting.remove((conn, part))
            if part is Part.UPLOAD:
                self._uploads[conn] = time.monotonic() + UPLOAD_SECONDS
            self._running[conn.host] += 1
            if conn.reads:
                self._reading[conn.host] += 1
            super().enqueue_req(conn)

    def _enough_reads(self, conn: Connection) -> bool:
        one = READS_AT_ONCE if self.behind_proxy else READS_OF_ONE
        return self._reading[conn.host] >= one or self._reading.total() >= READS_AT_ONCE

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """A thread is free again."""
        self._running[conn.host] -= 1
        if not self._running[conn.host]:
            del self._running[conn.host]
        if conn.reads:
            self._reading[conn.host] -= 1
            if not self._reading[conn.host]:
                del self._reading[conn.host]
        self._uploads.pop(conn, None)
        conn.deadline = 0.0
        super().finish_request(conn, fs)
        self._start_waiting()

    def murder_pending(self) -> None:
        """Close what took too long; a worker that stops waits for nobody who has not begun to speak."""
        now = time.monotonic()
        for conn in tuple(self.pending_conns):
            silent = not conn.parser.unreader.buf.getbuffer().nbytes
            if now > conn.deadline or (silent and not self.alive):
                self.pending_conns.remove(conn)
                with contextlib.suppress(OSError, KeyError, ValueError):
                    self.poller.unregister(conn.sock)
                self._drop(conn, b"" if silent else TIMED_OUT)
        for conn, until in self._uploads.items():
            if now > until:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def _drop(self, conn: Connection, status: bytes = b"") -> None:
        """Close a connection without a thread, with a bare ``status`` where one is due."""
        if status:
            with contextlib.suppress(OSError):
                conn.sock.send(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
        self.nr_conns -= 1
        conn.close()
