"""Small typed conveniences over ``send`` and ``collect``, for the lasting and the one-shot connection."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

from pbxweb.asterisk.ami_messages import EMPTY, AmiFailed, AmiRefused, Event, HeaderValue, Response

# What Asterisk gives a meaning in the value of a Variable header, where a backslash takes it away.
SPECIAL, ESCAPED = re.compile(r'([\\",()\[\]])'), r"\\\1"


class Asked(Protocol):
    """An action whose answer is on its way."""

    def wait(self, timeout: float) -> tuple[Response, list[Event]]:
        """The answer, and the events of a list. Call it once. Raises NotConnected, AmiTimeout, AmiFailed."""


class _Later:
    """An action that is only sent when its answer is waited for."""

    def __init__(self, perform: Callable[[float], tuple[Response, list[Event]]]) -> None:
        self._perform = perform

    def wait(self, timeout: float) -> tuple[Response, list[Event]]:
        """As Asked.wait."""
        return self._perform(timeout)


class AmiVerbs(ABC):
    """The verbs. All raise AmiRefused, NotConnected, AmiTimeout, AmiFailed as ``send`` does."""

    @abstractmethod
    def send(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 5.0) -> Response:
        """Send one action; Asterisk's answer."""

    @abstractmethod
    def collect(
        self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, timeout: float = 10.0
    ) -> tuple[Response, list[Event]]:
        """Send an action that is answered by a list; the answer and the events of the list."""

    def ask(self, action: str, headers: Mapping[str, HeaderValue] = EMPTY, *, is_list: bool = False) -> Asked:
        """Send an action and go on; Asterisk does those of one connection one after the other, in their order.

        Where that is not possible, the action is sent when its answer is waited for.
        """
        if is_list:
            return _Later(lambda timeout: self.collect(action, headers, timeout=timeout))
        return _Later(lambda timeout: (self.send(action, headers, timeout=timeout), []))

    def command(self, cli: str, *, timeout: float = 10.0) -> list[str]:
        """Run a command of Asterisk's command line; every line it printed. AmiFailed carries what it printed."""
        return list(self.send("Command", {"Command": cli}, timeout=timeout).all("Output"))

    def getvar(self, variable: str, channel: str = "") -> str:
        """A channel's (or a global) variable or function value; empty where it is not set."""
        headers = {"Variable": variable} | ({"Channel": channel} if channel else {})
        return self.send("Getvar", headers).get("Value")

    def setvar(self, variable: str, value: str, channel: str = "") -> None:
        """Set a channel's (or a global) variable or function."""
        headers = {"Variable": variable, "Value": value} | ({"Channel": channel} if channel else {})
        self.send("Setvar", headers)

    def dbget(self, family: str, key: str) -> str | None:
        """A value of Asterisk's own database, or None where there is none."""
        try:
            _, events = self.collect("DBGet", {"Family": family, "Key": key})
        except AmiFailed as error:
            if "not found" in error.message.lower():
                return None
            raise
        return events[0].get("Val") if events else None

    def dbput(self, family: str, key: str, value: str) -> None:
        """Write a value into Asterisk's own database."""
        self.send("DBPut", {"Family": family, "Key": key, "Val": value})

    def dbdel(self, family: str, key: str) -> bool:
        """Delete a value of Asterisk's own database; returns whether there was one."""
        try:
            self.send("DBDel", {"Family": family, "Key": key})
        except AmiFailed as error:
            if "not" in error.message.lower():
                return False
            raise
        return True

    def dbdeltree(self, family: str, key: str = "") -> None:
        """Delete a whole family (or what is below ``key`` in it); nothing there is no error."""
        try:
            self.send("DBDelTree", {"Family": family} | ({"Key": key} if key else {}))
        except AmiFailed as error:
            if "not" not in error.message.lower():
                raise

    def hangup(self, channel: str, cause: int = 16) -> None:
        """Hang up a channel by its name. AmiFailed where there is no such channel."""
        self.send("Hangup", {"Channel": channel, "Cause": str(cause)})

    def reload(self, module: str, *, timeout: float = 20.0) -> None:
        """Reload one module (``res_pjsip.so``) or core part (``dialplan`` is ``pbx_config.so``).

        Returns when Asterisk has done it; AmiFailed says what it said.
        """
        self.send("Reload", {"Module": module}, timeout=timeout)

    def originate(
        self,
        channel: str,
        *,
        context: str = "",
        exten: str = "",
        application: str = "",
        data: str = "",
        caller_id: str = "",
        variables: Mapping[str, str] | None = None,
        ring_seconds: int = 30,
        channel_id: str = "",
    ) -> str:
        """Ring ``channel`` and, when it answers, run ``context``/``exten`` or an application.

        Out: the ActionID that the OriginateResponse event will carry. Returns as soon as Asterisk has begun.
        A comma or an ``=`` in a variable's name is refused; values may hold anything but line breaks: Asterisk would
        take a comma for the next variable, so it is told not to.
        """
        headers: dict[str, HeaderValue] = {
            "Channel": channel,
            "Async": "true",
            "Timeout": str(ring_seconds * 1000),
        }
        if application:
            headers |= {"Application": application, "Data": data}
        else:
            headers |= {"Context": context, "Exten": exten, "Priority": "1"}
        if caller_id:
            headers["CallerID"] = caller_id
        if channel_id:
            headers["ChannelId"] = channel_id
        if variables:
            if any(set(name) & set(",=") for name in variables):
                raise AmiRefused("Variable: a name cannot hold a comma or an equals sign")
            headers["Variable"] = [f"{name}={SPECIAL.sub(ESCAPED, value)}" for name, value in variables.items()]
        return self.send("Originate", headers).action_id
