"""Which manager events pbxweb asks Asterisk for: the live state and the history's trigger.

Asterisk filters at the source (``eventfilter`` in ``manager.conf``), by a hash of the event's name: what is
not listed here is neither written to the socket nor parsed.
"""

from __future__ import annotations

CALL = (
    "Newchannel", "Newstate", "NewCallerid", "NewConnectedLine", "Rename", "Hangup",
    "DialBegin", "BridgeEnter", "BridgeLeave", "Hold", "Unhold",
    "BlindTransfer",
    "ParkedCall", "ParkedCallSwap", "UnParkedCall", "ParkedCallTimeOut", "ParkedCallGiveUp",
)  # fmt: skip
OTHER = ("ContactStatus", "FullyBooted", "Shutdown", "UserEvent", "OriginateResponse")

EVENT_NAMES: tuple[str, ...] = CALL + OTHER

READ_CLASSES = "system,call,user"
