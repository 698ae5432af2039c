"""The history as a file, for pages and API alike."""

from __future__ import annotations

from flask import Response, stream_with_context

from pbxweb.calls import export, statistics
from pbxweb.calls.history import Filter
from pbxweb.security.identity import actor


def csv_response(wanted: Filter) -> Response:
    """The calls of ``wanted`` as a file that is written while it is sent."""
    text = export.rows(actor(), wanted, statistics.zone())
    response = Response(stream_with_context(text), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="calls.csv"'
    return response
