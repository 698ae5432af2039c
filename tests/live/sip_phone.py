"""A telephone as small as it gets: SIP over UDP on 127.0.0.1, no media. It registers, calls, rings, answers, hangs up.

For what the manager interface says about calls; phones that talk are elsewhere.
"""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={mode}\r\n"
)


class SipPhone:
    """One phone. ``answer``: ``auto`` (180, then 200), ``manual`` (180, then wait for ``pick_up``)."""

    def __init__(self, number: str, server_port: int, *, answer: str = "auto", agent: str = "small-phone/1") -> None:
        self.number, self.answer, self.agent = number, answer, agent
        self.server = ("127.0.0.1", server_port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.port = self.socket.getsockname()[1]
        self.contact = f"sip:{number}@127.0.0.1:{self.port}"
        self.dialogs: dict[str, dict[str, str]] = {}
        self.replies: list[tuple[int, str]] = []
        self.rung = threading.Event()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    # -- what a person does

    def register(self, expires: int = 300) -> SipPhone:
        """Sign in (or, with 0, out) and wait for the answer."""
        call_id, uri = uuid.uuid4().hex, f"sip:{self.number}@127.0.0.1"
        extra = f"Contact: <{self.contact}>\r\nExpires: {expires}\r\n"
        self._send(self._request("REGISTER", "sip:127.0.0.1", uri, uri, call_id, 1, extra))
        self._await(call_id, 200)
        return self

    def call(self, number: str, name: str = "", asserted: str = "") -> str:
        """Send an INVITE; returns the Call-ID at once. ``name`` and ``asserted`` (identity) go out as they are."""
        call_id = uuid.uuid4().hex
        own = f"sip:{self.number}@127.0.0.1"
        target = f"sip:{number}@127.0.0.1:{self.server[1]}"
        extra = f"Contact: <{self.contact}>\r\n" + (f"P-Asserted-Identity: {asserted}\r\n" if asserted else "")
        text = self._request("INVITE", target, own, target, call_id, 1, extra, self._sdp(), name, branch=call_id)
        self.dialogs[call_id] = {"own": own, "peer": target, "target": target, "side": "caller", "name": name}
        self._send(text)
        return call_id

    def wait_answered(self, call_id: str, timeout: float = 30.0) -> None:
        """Wait until the other side has answered the call."""
        self._await(call_id, 200, timeout)

    def pick_up(self) -> None:
        """Answer the call that rings."""
        for dialog in self.dialogs.values():
            if dialog.pop("ringing", ""):
                self._send(self._reply(dialog["invite"], "200 OK", dialog["tag"], self._sdp()))

    def hold(self, call_id: str = "", mode: str = "sendonly") -> None:
        """Hold the call (``sendrecv`` resumes)."""
        call_id = call_id or next(iter(self.dialogs))
        self._in_dialog(call_id, "INVITE", self._sdp(mode))

    def transfer(self, call_id: str, to_call_id: str, number: str) -> None:
        """Hand the other side of ``call_id`` on to the other side of ``to_call_id``, whose number is ``number``."""
        to = self.dialogs[to_call_id]
        replaces = f"{to_call_id}%3Bto-tag%3D{to['peer_tag']}%3Bfrom-tag%3D{to.get('tag') or to_call_id[:8]}"
        refer_to = f"<sip:{number}@127.0.0.1:{self.server[1]}?Replaces={replaces}>"
        self._in_dialog(
            call_id, "REFER", extra=f"Refer-To: {refer_to}\r\nReferred-By: <sip:{self.number}@127.0.0.1>\r\n"
        )

    def hang_up(self, call_id: str = "") -> None:
        """End the call."""
        call_id = call_id or next(iter(self.dialogs), "")
        dialog = self.dialogs.get(call_id)
        if dialog is None:
            return
        if dialog["side"] == "caller" and "peer_tag" not in dialog:
            own, peer, name = dialog["own"], dialog["peer"], dialog["name"]
            self._send(self._request("CANCEL", peer, own, peer, call_id, 1, name=name, branch=call_id))
            self._await(call_id, 487)
            return
        self._in_dialog(call_id, "BYE")
        self.dialogs.pop(call_id, None)

    def close(self) -> None:
        """Put the phone away (without signing out)."""
        self._closing = True
        self._thread.join(2)
        self.socket.close()

    # -- how it speaks

    def _sdp(self, mode: str = "sendrecv") -> str:
        return SDP.format(port=self.port + 1 if self.port < 65000 else 40000, mode=mode)

    def _request(
        self, method: str, target: str, own: str, peer: str, call_id: str, seq: int,
        extra: str = "", body: str = "", name: str = "", tags: tuple[str, str] = ("", ""), branch: str = "",
    ) -> str:  # fmt: skip
        own_tag, peer_tag = tags[0] or call_id[:8], f";tag={tags[1]}" if tags[1] else ""
        shown = f'"{name}" ' if name else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} {target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{branch or uuid.uuid4().hex}\r\n"
            f"Max-Forwards: 70\r\nFrom: {shown}<{own}>;tag={own_tag}\r\nTo: <{peer}>{peer_tag}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {seq} {method}\r\nUser-Agent: {self.agent}\r\n{extra}{kind}"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )

    def _in_dialog(self, call_id: str, method: str, body: str = "", extra: str = "") -> None:
        dialog = self.dialogs[call_id]
        seq = int(dialog.get("seq", "10")) + 1
        dialog["seq"] = str(seq)
        extra += f"Contact: <{self.contact}>\r\n"
        tags = (dialog.get("tag", ""), dialog.get("peer_tag", ""))
        self._send(
            self._request(method, dialog["target"], dialog["own"], dialog["peer"], call_id, seq, extra, body, tags=tags)
        )

    def _reply(self, request: str, status: str, tag: str, body: str = "") -> str:
        copied = "".join(
            line + (f";tag={tag}" if line.lower().startswith("to:") and ";tag=" not in line else "") + "\r\n"
            for line in request.split("\r\n\r\n")[0].split("\r\n")[1:]
            if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:", "record-route:"))
        )
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"SIP/2.0 {status}\r\n{copied}Contact: <{self.contact}>\r\nUser-Agent: {self.agent}\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _send(self, text: str) -> None:
        self.socket.sendto(text.encode(), self.server)

    def _await(self, call_id: str, code: int, timeout: float = 30.0) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: (code, call_id) in self.replies, timeout):
                raise AssertionError(f"no {code} for {call_id} in {self.replies}")

    def _loop(self) -> None:
        while not self._closing:
            try:
                text = self.socket.recv(65536).decode("utf-8", "replace")
            except TimeoutError:
                continue
            found = re.search(r"(?im)^Call-ID:\s*(\S+)", text)
            if found:
                self._heard(text, found[1])

    def _heard(self, text: str, call_id: str) -> None:
        if text.startswith("SIP/2.0"):
            code, method = int(text[8:11]), re.search(r"(?im)^CSeq:\s*\d+\s+(\w+)", text)
            if code >= 200 and method and method[1] == "INVITE":
                self._acknowledge(text, call_id, code)
            with self._changed:
                self.replies.append((code, call_id))
                self._changed.notify_all()
            return
        method_name = text.split(" ", 1)[0]
        if method_name == "INVITE":
            self._invited(text, call_id)
        elif method_name == "CANCEL":
            self._send(self._reply(text, "200 OK", "x"))
            dialog = self.dialogs.pop(call_id, None)
            if dialog:
                self._send(self._reply(dialog["invite"], "487 Request Terminated", dialog["tag"]))
        elif method_name != "ACK":
            self._send(self._reply(text, "200 OK", "x"))
            if method_name == "BYE":
                self.dialogs.pop(call_id, None)

    def _acknowledge(self, text: str, call_id: str, code: int) -> None:
        dialog = self.dialogs.get(call_id)
        tag = re.search(r"(?im)^To:.*;tag=(\S+)", text)
        seq = re.search(r"(?im)^CSeq:\s*(\d+)", text)
        if dialog is None or tag is None or seq is None:
            return
        dialog["peer_tag"] = tag[1]
        contact = re.search(r"(?im)^Contact:\s*<([^>]+)>", text)
        if contact:
            dialog["target"] = contact[1]
        tags = (dialog.get("tag", ""), tag[1])
        ack = self._request(
            "ACK",
            dialog["target"],
            dialog["own"],
            dialog["peer"],
            call_id,
            int(seq[1]),
            name=dialog.get("name", ""),
            tags=tags,
        )
        self._send(ack)
        if code >= 300:
            self.dialogs.pop(call_id, None)

    def _invited(self, text: str, call_id: str) -> None:
        if call_id in self.dialogs:
            self._send(self._reply(text, "200 OK", self.dialogs[call_id].get("tag", ""), self._sdp()))
            return
        own, peer = re.search(r"(?im)^To:.*<([^>]+)>", text), re.search(r"(?im)^From:.*<([^>]+)>;tag=(\S+)", text)
        contact = re.search(r"(?im)^Contact:\s*<([^>]+)>", text)
        assert own and peer and contact
        tag = uuid.uuid4().hex[:8]
        self.dialogs[call_id] = {
            "own": own[1], "peer": peer[1], "target": contact[1], "peer_tag": peer[2], "tag": tag,
            "side": "callee", "invite": text, "ringing": "yes",
        }  # fmt: skip
        self._send(self._reply(text, "180 Ringing", tag))
        self.rung.set()
        if self.answer == "auto":
            time.sleep(0.02)
            self.pick_up()
