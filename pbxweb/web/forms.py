"""What every form of the pages shares."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape
from wtforms.validators import ValidationError
from wtforms.widgets import Select
from wtforms.widgets.core import html_params

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
