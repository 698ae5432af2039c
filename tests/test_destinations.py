"""Where a call can go: features register their kind, nobody knows the other."""

from __future__ import annotations

import pytest

from pbxweb.destinations import Destination, Destinations, Kind


def kind(key: str, *values: str) -> Kind:
    places = {value: Destination(key, value, f"{key} {value}", f"to-{key}", value) for value in values}
    return Kind(key, key.title(), places.values, places.get)


def test_a_place_is_found_by_kind_and_value_or_by_its_bare_number() -> None:
    destinations = Destinations()
    destinations.register(kind("extension", "200", "201"))
    destinations.register(kind("queue", "300"))
    found = destinations.find("queue:300")
    assert found is not None
    assert (found.context, str(found)) == ("to-queue", "queue:300")
    bare = destinations.find("201")
    assert bare is not None
    assert bare.kind == "extension"


@pytest.mark.parametrize("text", ["", ":", "queue:200", "extension:", "999", "fax:200"])
def test_what_does_not_exist_is_none(text: str) -> None:
    destinations = Destinations()
    destinations.register(kind("extension", "200"))
    assert destinations.find(text) is None


def test_a_kind_is_registered_once() -> None:
    destinations = Destinations()
    destinations.register(kind("extension"))
    with pytest.raises(ValueError, match="twice"):
        destinations.register(kind("extension"))
