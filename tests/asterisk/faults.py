"""Faults that can be made on purpose: a cut connection, a folder nobody may write to, files that may not grow."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION = 0x20080522


class Proxy:
    """A TCP relay to ``port`` that cuts the connection when it sees ``trigger``: it arrives, the answer does not."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.trigger = b""
        self.cuts = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection((HOST, self._target))
                except OSError:
                    near.close()
                    continue
                self._pairs.append((near, far))
                threading.Thread(target=self._relay, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._relay, args=(far, near, False), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, outward: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if outward and self.trigger and self.trigger in data:
                    self.cut(only_near=True)
                target.sendall(data)
        for end in (source, target):
            end.close()

    def cut(self, only_near: bool = False) -> None:
        """End every connection, abruptly; ``only_near``: Asterisk still gets what is on its way."""
        self.cuts += 1
        pairs, self._pairs = self._pairs, []
        for near, far in pairs:
            for end in (near,) if only_near else (near, far):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it all."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """This thread may not write into ``folder``, even when it is root's."""
    mode = folder.stat().st_mode
    folder.chmod(0o500)
    before = _effective()
    if os.geteuid() == 0:
        _set_effective(before[0] & ~(1 << CAP_DAC_OVERRIDE), before[1])
    try:
        yield
    finally:
        if os.geteuid() == 0:
            _set_effective(*before)
        folder.chmod(mode)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _capabilities() -> tuple[_Header, ctypes.Array[_Data]]:
    header, data = _Header(CAPABILITY_VERSION, 0), (_Data * 2)()
    if ctypes.CDLL(None, use_errno=True).capget(ctypes.byref(header), ctypes.byref(data)):
        raise OSError(ctypes.get_errno(), "capget")
    return header, data


def _effective() -> tuple[int, int]:
    _, data = _capabilities()
    return data[0].effective, data[1].effective


def _set_effective(low: int, high: int) -> None:
    header, data = _capabilities()
    data[0].effective, data[1].effective = low, high
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), ctypes.byref(data)):
        raise OSError(ctypes.get_errno(), "capset")


@contextmanager
def files_may_not_exceed(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
