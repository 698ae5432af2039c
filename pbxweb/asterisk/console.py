"""The few verbs that applying a change needs, over Asterisk's control socket: for when there is no AMI link.

A command of the command line has none, and while the link is being restored a change should not have to wait. What
this way cannot tell, compared with AMI, is whether an object has its new values; it tells whether it exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pbxweb.asterisk import control
from pbxweb.asterisk.ami_messages import EMPTY, AmiFailed, Event, HeaderValue, NotConnected, Response
from pbxweb.asterisk.ami_verbs import AmiVerbs

DONE = "reloaded successfully"
DETAILS = ("EndpointDetail", "AorDetail", "AuthDetail")


class Console(AmiVerbs):
    """Speaks the CLI and answers like AMI. Raises NotConnected when nobody answers, AmiFailed when Asterisk says no."""

    def __init__(self, control_socket: Path) -> None:
        self._socket = control_socket

    def send(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 5.0) -> Response:
        """``Reload`` and ``Getvar``."""
        if action == "Reload":
            said = self._ask(f"module reload {headers['Module']}", timeout)
            if DONE not in said:
                raise AmiFailed(said)
            return Response({"Response": "Success"})
        if action == "Getvar":
            said = self._ask(f"dialplan eval function {headers['Variable']}", timeout)
            return Response({"Response": "Success", "Value": said.partition("Result:")[2].strip()})
        raise AmiFailed(f"{action} is not known on the console")

    def collect(
        self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 10.0
    ) -> tuple[Response, list[Event]]:
        """``PJSIPShowEndpoint``, with empty details, and ``CoreShowChannels``, only the names."""
        if action == "CoreShowChannels":
            lines = self._ask("core show channels concise", timeout).splitlines()
            names = [line.split("!")[0] for line in lines if "!" in line]
            return Response({"Response": "Success"}), [Event({"Event": "CoreShowChannel", "Channel": n}) for n in names]
        if action != "PJSIPShowEndpoint":
            raise AmiFailed(f"{action} is not known on the console")
        variable = f"PJSIP_ENDPOINT({headers['Endpoint']},aors)"
        if not self.send("Getvar", {"Variable": variable}, timeout=timeout).get("Value"):
            raise AmiFailed("Unable to retrieve endpoint")
        return Response({"Response": "Success"}), [Event({"Event": name}) for name in DETAILS]

    def _ask(self, command: str, timeout: float) -> str:
        try:
            return control.ask(self._socket, command, timeout).text.strip()
        except control.ControlError as error:
            raise NotConnected(str(error)) from error
