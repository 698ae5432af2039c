"""What every page shares: layout, static files, languages, theme, error pages, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from pbxweb.settings import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Install everything that a page needs into ``app``; call it before the rooms are opened.

    A room that keeps a person's language appends ``callable(actor, code)`` to
    ``app.extensions["pbxweb.web.on_language"]``.
    """
    from werkzeug.middleware.proxy_fix import ProxyFix

    from pbxweb.web import assets, csrf, errors, filters, headers, languages, menu, socket, theme, views

    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    csrf.init_app(app)
    app.extensions.setdefault("pbxweb.web.on_language", [])
    languages.init_app(app)
    theme.init_app(app)
    assets.init_app(app)
    menu.init_app(app)
    filters.init_app(app)
    errors.init_app(app)
    headers.init_app(app, settings)
    app.register_blueprint(views.blueprint())
    socket.init_app(app, max_clients=max(2, settings.threads * 2 // 3))
