"""Asterisk's control socket: what ``asterisk -rx`` speaks, without starting a program for it."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path


class ControlError(OSError):
    """Asterisk does not answer on its control socket."""


@dataclass(frozen=True)
class Answer:
    """One answer: who gave it, and its text."""

    pid: int
    version: str
    text: str


def ask(control_socket: Path, command: str, timeout: float = 5.0) -> Answer:
    """Run the CLI command ``command``; give up after ``timeout`` seconds in all.

    Raises ControlError when nobody answers in time, ValueError for a command that is more than one line.
    """
    if any(ord(character) < 32 for character in command):
        raise ValueError("a command is one line")
    deadline = time.monotonic() + timeout
    received = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout)
            peer.connect(os.fspath(control_socket))
            peer.sendall(b"cli quit after " + command.encode() + b"\0")
            while chunk := peer.recv(65536):
                received += chunk
                peer.settimeout(max(0.001, deadline - time.monotonic()))
    except OSError as error:
        raise ControlError(f"Asterisk does not answer on {control_socket}: {error}") from error
    greeting, _, text = received.decode(errors="replace").partition("\n")
    host_and_pid, _, version = greeting.partition("\n")[0].rpartition("/")
    pid = host_and_pid.rpartition("/")[2]
    if not pid.isdecimal():
        raise ControlError(f"{control_socket} is not Asterisk's: it greeted with {greeting[:60]!r}")
    return Answer(int(pid), version, text.replace("\x7f", "").replace("\0", ""))
