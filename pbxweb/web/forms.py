"""What every form of the pages shares."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from markupsafe import Markup, escape
from wtforms import HiddenField
from wtforms.validators import ValidationError
from wtforms.widgets import Select
from wtforms.widgets.core import html_params

from pbxweb.security.errors import Invalid
from pbxweb.security.text import fault


class Plain:
    """WTForms validator: no control characters, no lone surrogates, at most ``max_length`` characters.

    ``lines`` allows several lines. The browser gets the same limit as ``maxlength``.
    """

    def __init__(self, max_length: int = 200, *, lines: bool = False) -> None:
        self.max_length = max_length
        self.lines = lines
        self.field_flags = {"maxlength": max_length}

    def __call__(self, form: Any, field: Any) -> None:  # noqa: ARG002 - WTForms passes both
        text = field.data or ""
        if len(text) > self.max_length:
            from flask_babel import ngettext

            raise ValidationError(
                ngettext("Use at most %(num)d character.", "Use at most %(num)d characters.", self.max_length)
            )
        problem = fault(text, lines=self.lines)
        if problem:
            raise ValidationError(str(problem))


def strip(value: Any) -> Any:
    """WTForms filter: cut the outer blanks off a text."""
    return value.strip() if isinstance(value, str) else value


class LongSelect(Select):  # type: ignore[misc]
    """WTForms widget: a choice of hundreds (``SelectChoice``, without groups), ten times as quick as WTForms' own."""

    def __call__(self, field: Any, **attributes: Any) -> Markup:
        """The ``<select>`` with its options."""
        attributes.setdefault("id", field.id)
        chosen = None if field.data is None else str(field.data)
        options = "".join(_option(one.value, one.label, one.value == chosen) for one in field.choices)
        # Every value and text in it is escaped.
        return Markup(f"<select {html_params(name=field.name, **attributes)}>{options}</select>")  # noqa: S704


def _option(value: Any, text: Any, selected: bool) -> str:
    return f'<option value="{escape(value)}"{" selected" if selected else ""}>{escape(text)}</option>'


class SharedForm(FlaskForm):  # type: ignore[misc]
    """A form about something that others change too (another person, a phone's own code): nobody undoes them unseen.

    It carries what it showed in a hidden field, so that what one changed oneself can be told from what was there.
    """

    seen = HiddenField()

    def show(self, now: Mapping[str, Any]) -> None:
        """Note what the form shows. In: the stored values by the fields' names."""
        self.seen.data = json.dumps({name: _plain(value) for name, value in now.items() if name in self._fields})

    def merge(self, now: Mapping[str, Any]) -> set[str]:
        """The fields that the person changed; the others take over what is stored by now.

        In: the stored values. Raises Invalid for fields that somebody else has changed too since they were shown; to
        send the form again is to insist. A form that does not say what it showed changes everything.
        """
        current = {name: _plain(value) for name, value in now.items() if name in self._fields}
        if not self._shown():
            return set(current)
        shown = {**current, **self._shown()}
        mine = {name for name in current if _plain(self[name].data) != shown[name]}
        theirs = {name for name in current if current[name] != shown[name]}
        for name in theirs - mine:
            self[name].data, self[name].raw_data = now[name], None
        self.show(now)
        clash = {name for name in mine & theirs if _plain(self[name].data) != current[name]}
        if clash:
            raise Invalid({_camel(name): self._clash(name, current[name]) for name in sorted(clash)})
        return mine

    def _shown(self) -> dict[str, Any]:
        try:
            shown = json.loads(self.seen.data or "")
        except ValueError:
            return {}
        return shown if isinstance(shown, dict) else {}

    def _clash(self, name: str, value: Any) -> str:
        from flask_babel import gettext

        choices = {one.value: str(one.label) for one in getattr(self[name], "choices", None) or ()}
        if isinstance(value, bool):
            value = gettext("yes") if value else gettext("no")
        text = choices.get(value, value)
        return str(
            gettext("Somebody else has changed this meanwhile, to: %(value)s. Save again to insist.", value=text)
        )


def _plain(value: Any) -> Any:
    """As JSON keeps it; nothing is the same as an empty text."""
    return value if isinstance(value, bool | int | list) else str(value or "")


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
