"""A hand-made SIP phone over UDP, without sound: for messages that baresip does not send or show."""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field

from tests.asterisk.pbx import HOST, password_of, until

SDP = (
    "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


@dataclass
class Message:
    """A SIP message as it came."""

    start: str
    headers: list[tuple[str, str]]
    body: str
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Message:
        head, _, body = raw.decode(errors="surrogateescape").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers = [(name.strip().lower(), value.strip()) for name, _, value in (x.partition(":") for x in lines)]
        return cls(start, headers, body, raw)

    def get(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """The method of the transaction."""
        return self.get("cseq").split()[-1]


@dataclass
class Dialog:
    """A call, a subscription or a registration of this phone."""

    call_id: str
    target: str
    local: str
    remote: str
    cseq: int = 0
    branch: str = ""
    sent: bytes = b""
    final: Message | None = None
    messages: list[Message] = field(default_factory=list)

    def tags(self) -> tuple[str, str]:
        """Local and remote tag."""
        return tuple(re.search(r"tag=([^;>\s]+)", side)[1] for side in (self.local, self.remote))  # type: ignore[return-value, index]


class SipUser:
    """One phone at the address of this process. ``reply`` is what it does with a call: 180 then 200, or 486, 302 …"""

    def __init__(self, number: str, server_port: int, *, password: str | None = None, name: str = "") -> None:
        self.number, self.server = number, (HOST, server_port)
        self.password = password_of(number) if password is None else password
        self.name = name
        self.reply: tuple[int, ...] = (180,)
        self.moved_to = ""
        self.incoming: list[Message] = []
        self.notified: list[Message] = []
        self.dialogs: dict[str, Dialog] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    # -- what it does

    def register(self, expires: int = 120) -> int:
        """Sign in; the final status."""
        dialog = self._dialog(f"sip:{HOST}:{self.server[1]}", f"<sip:{self.number}@{HOST}>")
        return self._with_auth(dialog, "REGISTER", {"Expires": str(expires)})

    def subscribe(self, number: str, event: str, accept: str) -> int:
        """Watch a number's lamp; the final status. What comes is in ``notified``."""
        uri = f"sip:{number}@{HOST}:{self.server[1]}"
        extra = {"Event": event, "Accept": accept, "Expires": "120"}
        return self._with_auth(self._dialog(uri, f"<{uri}>"), "SUBSCRIBE", extra)

    def invite(self, number: str) -> Dialog:
        """Call and wait for the final answer, ``dialog.final``."""
        uri = f"sip:{number}@{HOST}:{self.server[1]}"
        dialog = self._dialog(uri, f"<{uri}>")
        self._with_auth(dialog, "INVITE", {"Content-Type": "application/sdp"}, self._sdp(), wait=30)
        return dialog

    def call(self, number: str) -> Dialog:
        """Call and return as soon as the signed INVITE is on its way."""
        uri = f"sip:{number}@{HOST}:{self.server[1]}"
        dialog = self._dialog(uri, f"<{uri}>")
        challenge = self._transaction(dialog, "INVITE", {"Content-Type": "application/sdp"}, self._sdp(), 10)
        assert challenge.status == 401
        signed = {"Content-Type": "application/sdp", "Authorization": self._signed(challenge, "INVITE", uri)}
        self._within(dialog, "INVITE", signed, self._sdp())
        return dialog

    def bye(self, dialog: Dialog) -> None:
        """End a call."""
        self._within(dialog, "BYE")

    def refer(self, dialog: Dialog, to: str) -> int:
        """Transfer a call; the final status."""
        contact = f"<sip:{self.number}@{HOST}:{self.port}>"
        return self._with_auth(dialog, "REFER", {"Refer-To": f"<{to}>", "Referred-By": contact})

    def replaces(self, dialog: Dialog) -> str:
        """The URI that stands for the other side of ``dialog`` in an attended transfer."""
        local, remote = dialog.tags()
        return f"{dialog.target.split(';')[0]}?Replaces={dialog.call_id}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{local}"

    def rings(self, timeout: float = 30.0) -> Message:
        """Wait for a call; its INVITE."""
        until(lambda: self.incoming, timeout, f"{self.number} to ring")
        return self.incoming[-1]

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._socket.sendto(b"", (HOST, self.port))
        self._thread.join(2)
        self._socket.close()

    # -- how it does it

    def _sdp(self) -> str:
        return SDP.format(port=self.port, version=secrets.randbelow(1 << 30))

    def _dialog(self, target: str, remote: str) -> Dialog:
        shown = f'"{self.name}" ' if self.name else ""
        local = f"{shown}<sip:{self.number}@{HOST}>;tag={secrets.token_hex(6)}"
        dialog = Dialog(secrets.token_hex(10), target, local, remote)
        self.dialogs[dialog.call_id] = dialog
        return dialog

    def _with_auth(self, dialog: Dialog, method: str, extra: dict[str, str], body: str = "", wait: float = 30) -> int:
        answer = self._transaction(dialog, method, extra, body, wait)
        if answer.status == 401:
            signed = extra | {"Authorization": self._signed(answer, method, dialog.target)}
            answer = self._transaction(dialog, method, signed, body, wait)
        return answer.status

    def _signed(self, refusal: Message, method: str, uri: str) -> str:
        """The Authorization header (RFC 2617, MD5, qop=auth) that answers a 401."""
        challenge = dict(re.findall(r'(\w+)="?([^",]+)"?', refusal.get("WWW-Authenticate")))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        nonce, cnonce = challenge["nonce"], secrets.token_hex(4)
        secret = md5(f"{self.number}:{challenge['realm']}:{self.password}")
        response = md5(f"{secret}:{nonce}:00000001:{cnonce}:auth:{md5(f'{method}:{uri}')}")
        return (
            f'Digest username="{self.number}", realm="{challenge["realm"]}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{cnonce}"'
            + (f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else "")
        )

    def _transaction(self, dialog: Dialog, method: str, extra: dict[str, str], body: str, wait: float) -> Message:
        before = len(dialog.messages)
        self._within(dialog, method, extra, body)

        last = [time.monotonic()]

        def final() -> Message | None:
            if len(dialog.messages) == before and time.monotonic() - last[0] > 1:
                self._socket.sendto(dialog.sent, self.server)
                last[0] = time.monotonic()
            return next((m for m in dialog.messages[before:] if m.status >= 200 and m.method == method), None)

        answer = until(final, wait, f"an answer to {method}")
        dialog.final = answer
        if method == "INVITE":
            if answer.status < 300:
                dialog.remote = answer.get("to")
                dialog.target = re.search(r"<([^>]+)>", answer.get("contact"))[1]  # type: ignore[index]
            self._send(dialog, "ACK", {}, "", to=answer.get("to"))
        return answer

    def _within(self, dialog: Dialog, method: str, extra: dict[str, str] | None = None, body: str = "") -> None:
        dialog.cseq += 1
        self._send(dialog, method, extra or {}, body)

    def _send(self, dialog: Dialog, method: str, extra: dict[str, str], body: str, to: str = "") -> None:
        # The ACK of a refusal belongs to its INVITE's transaction, the ACK of an answer does not.
        if method != "ACK" or (dialog.final and dialog.final.status < 300):
            dialog.branch = f"z9hG4bK{secrets.token_hex(8)}"
        headers = {
            "Via": f"SIP/2.0/UDP {HOST}:{self.port};rport;branch={dialog.branch}",
            "Max-Forwards": "70",
            "From": dialog.local,
            "To": to or dialog.remote,
            "Call-ID": dialog.call_id,
            "CSeq": f"{dialog.cseq} {method}",
            "Contact": f"<sip:{self.number}@{HOST}:{self.port}>",
            **extra,
            "Content-Length": str(len(body.encode())),
        }
        lines = [f"{method} {dialog.target} SIP/2.0", *(f"{key}: {value}" for key, value in headers.items())]
        dialog.sent = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        self._socket.sendto(dialog.sent, self.server)

    def _listen(self) -> None:
        while not self._closed:
            raw = self._socket.recv(65536)
            if b"SIP/2.0" in raw:
                self._take(Message.parse(raw))

    def _take(self, message: Message) -> None:
        dialog = self.dialogs.get(message.get("call-id"))
        if message.status:
            if dialog:
                dialog.messages.append(message)
        elif message.method == "INVITE":
            if all(message.get("via") != known.get("via") for known in self.incoming):
                self.incoming.append(message)
            for status in (100, *self.reply):
                self._answer(message, status)
        elif message.method != "ACK":
            if message.method == "NOTIFY":
                self.notified.append(message)
            self._answer(message, 200)

    def _answer(self, request: Message, status: int) -> None:
        copied = [f"{k.title()}: {v}" for k, v in request.headers if k in ("via", "from", "call-id", "cseq")]
        to = request.get("to")
        to += "" if "tag=" in to or status == 100 else f";tag={request.get('call-id')[:8]}"
        target = self.moved_to if status == 302 else f"sip:{self.number}@{HOST}:{self.port}"
        body = self._sdp() if request.method == "INVITE" and status == 200 else ""
        lines = [f"SIP/2.0 {status} Said", *copied, f"To: {to}", f"Contact: <{target}>"]
        lines += ["Content-Type: application/sdp"] if body else []
        lines += [f"Content-Length: {len(body)}"]
        self._socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)
