"""What other rooms know about a person. They tell it here, so that this room needs none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app


@dataclass(frozen=True)
class Phone:
    """A phone of a person: the extension's id and its number."""

    id: str
    number: str


def _none(_user_ids: Sequence[str]) -> Mapping[str, Sequence[Phone]]:
    return {}


@dataclass
class Links:
    """``phones`` finds the phones of many people at once; each of ``on_delete`` runs, inside the change, with the id
    of a person who is being deleted."""

    phones: Callable[[Sequence[str]], Mapping[str, Sequence[Phone]]] = _none
    on_delete: list[Callable[[str], None]] = field(default_factory=list)


def links(app: Flask | None = None) -> Links:
    """The links of ``app`` (default: the current application). A room's ``init_app`` fills in its own."""
    extensions: dict[str, Any] = (app or current_app).extensions
    found: Links = extensions.setdefault("pbxweb.users.links", Links())
    return found
