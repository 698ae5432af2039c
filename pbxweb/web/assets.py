"""CSS, JavaScript and icons of the pages: served from our own origin, packed beforehand, kept by the browser for good.

What comes from npm lies in ``static/vendor`` with a ``manifest.json`` (name -> hashed file name); our own files lie in
``static/css`` and ``static/js``. Every URL changes with the content, so nothing is asked for twice.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Response, abort, current_app, request, url_for
from markupsafe import Markup

FOREVER = "public, max-age=31536000, immutable"
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
LOOK_EVERY = 1.0
PACKED = {".js", ".css", ".svg", ".json", ".webmanifest"}


@dataclass(frozen=True)
class File:
    """One file as it is sent: its bytes, the same packed (or None), its type and its tag."""

    body: bytes
    packed: bytes | None
    mimetype: str
    tag: str


class Assets:
    """The static files of one application, read once and kept in memory packed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = threading.Lock()
        self._files: dict[str, tuple[int, File]] = {}
        self._urls: dict[tuple[str, str], tuple[float, str]] = {}
        self._manifest: tuple[int, dict[str, str]] = (-1, {})

    def path(self, name: str) -> str:
        """The path below ``/static/`` of ``name``: ``css/app.css`` of our own, else the vendor file of that name.

        A name that is nowhere yields a path that answers 404.
        """
        if (self._folder / name).is_file() and not name.startswith("vendor/"):
            return name
        return f"vendor/{self._vendor().get(name, name)}"

    def url(self, name: str) -> str:
        """The URL of ``name``. Whether the file has changed is looked at once a second."""
        now, key = time.monotonic(), (request.script_root, name)
        known = self._urls.get(key)
        if known and now - known[0] < LOOK_EVERY:
            return known[1]
        path = self.path(name)
        version = self.version(path)
        url = url_for("web.static", path=path, v=version) if version else url_for("web.static", path=path)
        self._urls[key] = (now, url)
        return url

    def version(self, path: str) -> str:
        """What the URL of ``path`` ends with so that it changes with the content ("" for a vendor file)."""
        if path.startswith("vendor/"):
            return ""
        file = self.read(path)
        return file.tag if file else ""

    def read(self, path: str) -> File | None:
        """The file at ``path`` below the static folder; None when there is none or it lies outside."""
        if "\0" in path:
            return None
        full = (self._folder / path).resolve()
        if not full.is_relative_to(self._folder) or full.suffix not in (*TYPES, ".png", ".ico", ".json", ".woff2"):
            return None
        try:
            changed = full.stat().st_mtime_ns
        except OSError:
            return None
        known = self._files.get(path)
        if known and known[0] == changed:
            return known[1]
        with self._lock:
            file = self._load(full)
            if file:
                self._files[path] = (changed, file)
        return file

    @staticmethod
    def _load(full: Path) -> File | None:
        try:
            body = full.read_bytes()
            sibling = full.with_name(full.name + ".gz")
            packed = sibling.read_bytes() if sibling.is_file() else None
        except OSError:
            return None
        if packed is None and full.suffix in PACKED and len(body) > 500:
            packed = gzip.compress(body, 6, mtime=0)
        mimetype = TYPES.get(full.suffix) or mimetypes.guess_type(full.name)[0] or "application/octet-stream"
        return File(body, packed, mimetype, hashlib.sha256(body).hexdigest()[:10])

    def _vendor(self) -> dict[str, str]:
        manifest = self._folder / "vendor" / "manifest.json"
        try:
            changed = manifest.stat().st_mtime_ns
            if self._manifest[0] != changed:
                self._manifest = (changed, json.loads(manifest.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}
        return self._manifest[1]


def assets() -> Assets:
    """The static files of the current application."""
    found: Assets = current_app.extensions["pbxweb.web.assets"]
    return found


def asset(name: str) -> str:
    """The URL of a static file by its plain name: ``asset("css/app.css")``, ``asset("htmx.js")``."""
    return assets().url(name)


@lru_cache(maxsize=512)
def _icon(sprite: str, name: str, classes: str) -> Markup:
    return Markup('<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>').format(
        classes, sprite, name
    )


def icon(name: str, classes: str = "") -> Markup:
    """The icon ``name`` (a line of ``static/icons.txt``); it says nothing to a screen reader."""
    return _icon(asset("icons.svg"), name, classes)


def serve(path: str) -> Response:
    """The answer to ``/static/<path>``. Aborts with 404."""
    file = assets().read(path)
    if file is None:
        abort(404)
    packed = file.packed is not None and request.accept_encodings.quality("gzip") > 0
    response = Response(file.packed if packed else file.body, mimetype=file.mimetype)
    if file.packed is not None:
        response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(file.tag + ("-gz" if packed else ""))
    fixed = path.startswith("vendor/") or request.args.get("v") == file.tag
    response.headers["Cache-Control"] = FOREVER if fixed else "public, max-age=300"
    response.make_conditional(request)
    return response


def init_app(app: Any) -> None:
    """Make ``asset()`` and ``icon()`` known to every template of ``app``."""
    app.extensions["pbxweb.web.assets"] = Assets(Path(app.extensions["pbxweb.root"]) / "static")
    app.jinja_env.globals.update(asset=asset, icon=icon)
