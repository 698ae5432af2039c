"""The codes that phone apps scan, on whatever page shows a phone's password."""

from __future__ import annotations

from flask import current_app, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup

from pbxweb.extensions.signin import FETCHES, OneTime, SignIn, grandstream, is_local, qr


def host() -> str:
    """The host part of the address by which the browser (or app) reached us."""
    name, _colon, port = request.host.rpartition(":")
    return (name if port.isdigit() else request.host).strip("[]")


def once() -> OneTime[tuple[tuple[str, str], ...]]:
    """Passwords (with their phones' ids) on the way to a page or an app."""
    kept: OneTime[tuple[tuple[str, str], ...]] = current_app.extensions["pbxweb.extensions.once"]
    return kept


def to_scan(extension_id: str, data: SignIn) -> list[tuple[str, Markup]]:
    """App and code for each app that can scan one; none without a password.

    Linphone's code is an address that works a few times within ten minutes; it is left out where the page was reached
    by an address that a phone cannot use.
    """
    if data.password is None:
        return []
    found = []
    if not is_local(host()):
        token = once().put(((extension_id, data.password),), FETCHES)
        url = url_for("extensions.provision", token=token, _external=True)
        found.append(
            ("Linphone", qr(url, _("Code for Linphone with the sign-in data of phone %(number)s", number=data.number)))
        )
    label = _("Code for Grandstream Wave with the sign-in data of phone %(number)s", number=data.number)
    return [*found, ("Grandstream Wave", qr(grandstream(data), label))]
