"""Which channel events belong to one call as a person means it. Pure.

Asterisk gives every channel a Linkedid, but a pickup, the fetching of a parked call or a consultation before a transfer
begins as a call with a Linkedid of its own and becomes one with the other later. So events belong together when they
share a Linkedid or a channel, or when one names a channel of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pbxweb.calls.cel import Event

# Where an event's details name another channel by its Uniqueid.
LINKS = (
    "pickup_channel_uniqueid",
    "transferee_channel_uniqueid",
    "channel2_uniqueid",
    "transfer_target_channel_uniqueid",
)


@dataclass
class Group:
    """One call under way: its events, and which of its channels and Linkedids have ended."""

    events: list[Event] = field(default_factory=list)
    channels: dict[str, bool] = field(default_factory=dict)
    linkedids: dict[str, bool] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether every channel and every Linkedid has ended."""
        return all(self.channels.values()) and all(self.linkedids.values())

    @property
    def last(self) -> int:
        """When the last event was, in microseconds since 1970."""
        return max(event.at for event in self.events)

    def ordered(self) -> list[Event]:
        """The events in the order in which Asterisk wrote them."""
        return sorted(self.events, key=lambda event: event.n)


class Streams:
    """Takes events in their order and gives back each call's events once the call has ended.

    What ``feed`` gives back depends on the events alone, never on how they were cut into portions: feeding what is
    ``open`` to a new object, and then the rest, gives the same.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, Group] = {}

    def feed(self, event: Event) -> list[Event] | None:
        """Take the next event. Out: all events of the call that ended with it, else None."""
        group = self._join(event)
        group.events.append(event)
        if event.type == "CHAN_START":
            group.channels.setdefault(event.uniqueid, False)
        elif event.type == "CHAN_END":
            group.channels[event.uniqueid] = True
        group.linkedids[event.linkedid] = group.linkedids.get(event.linkedid, False) or event.type == "LINKEDID_END"
        return self._take(group) if group.finished else None

    @property
    def open(self) -> list[Event]:
        """The events of all calls that have not ended, in their order."""
        return sorted((event for group in self._groups() for event in group.events), key=lambda event: event.n)

    def close(self, lost: Callable[[Group], bool]) -> list[list[Event]]:
        """Give up every call that ``lost`` picks (Asterisk died under it); returns their events."""
        return [self._take(group) for group in self._groups() if lost(group)]

    def _groups(self) -> Iterable[Group]:
        return list({id(group): group for group in self._by_key.values()}.values())

    def _take(self, group: Group) -> list[Event]:
        for key in [key for key, owner in self._by_key.items() if owner is group]:
            del self._by_key[key]
        return group.ordered()

    def _join(self, event: Event) -> Group:
        keys = [f"L{event.linkedid}", f"C{event.uniqueid}"]
        keys += [f"C{event.details[name]}" for name in LINKS if event.extra and event.details.get(name)]
        groups = list({id(found): found for key in keys if (found := self._by_key.get(key))}.values())
        groups.sort(key=lambda group: -len(group.events))
        target = groups[0] if groups else Group()
        for other in groups[1:]:
            target.events += other.events
            target.channels |= other.channels
            target.linkedids |= other.linkedids
            for key in [key for key, owner in self._by_key.items() if owner is other]:
                self._by_key[key] = target
        for key in keys:
            self._by_key[key] = target
        return target
