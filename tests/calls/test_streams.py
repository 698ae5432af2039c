"""Whatever the order in which calls mix and wherever the reading is cut, the same calls come out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pbxweb.calls.cel import Event
from pbxweb.calls.fold import fold
from pbxweb.calls.streams import Streams
from tests.calls.recorded import CALLS, events, rows, shifted

WHOLE = [name for name in CALLS if name != "killed"]


@st.composite
def mixed(draw: st.DrawFn) -> list[list[str]]:
    """The rows of some calls, some of them several times, mixed as calls at the same time are."""
    chosen = draw(st.lists(st.sampled_from([*WHOLE, "killed"]), min_size=1, max_size=6))
    waiting = [shifted(rows(name), index * 100.0, f"{index}-") for index, name in enumerate(chosen)]
    together = []
    while waiting:
        index = draw(st.integers(0, len(waiting) - 1))
        together.append(waiting[index].pop(0))
        if not waiting[index]:
            waiting.pop(index)
    return together


def told(given: list[Event], cuts: list[int]) -> list[str]:
    """What comes out when the reading is cut at these places, each time with a new reader that gets what was open."""
    found = []
    streams = Streams()
    for index, event in enumerate(given):
        if index in cuts:
            kept = [Event.load(one.dump()) for one in streams.open]
            streams = Streams()
            assert not [1 for one in kept if streams.feed(one)], "an open call ended by being read again"
        if ended := streams.feed(event):
            found.append(repr(fold(ended)))
    return found


@settings(max_examples=150, deadline=None)
@given(mixed(), st.data())
def test_cutting_the_reading_anywhere_changes_nothing(together: list[list[str]], data: st.DataObject) -> None:
    stream = events(together)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    assert told(stream, cuts) == told(stream, [])


@settings(max_examples=150, deadline=None)
@given(mixed())
def test_every_call_comes_out_once_and_whole(together: list[list[str]]) -> None:
    stream = events(together)
    streams = Streams()
    ended = [found for event in stream if (found := streams.feed(event))]
    out = [event.n for found in ended for event in found] + [event.n for event in streams.open]
    assert sorted(out) == [event.n for event in stream]
    for found in ended:
        assert len({event.linkedid.partition("-")[0] for event in found}) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(events(rows(*CALLS))), max_size=60))
def test_nonsense_is_survived(nonsense: list[Event]) -> None:
    streams = Streams()
    for event in nonsense:
        if found := streams.feed(event):
            fold(found)
    for found in streams.close(lambda _group: True):
        fold(found, cut_at=found[-1].at)
    assert not streams.open
