"""Static files: packed, kept for good, never outside their folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pbxweb.web.assets import Assets, asset, icon


def _url(app: Flask, name: str) -> str:
    with app.test_request_context():
        return asset(name)


def test_own_files_are_kept_for_good_by_their_version(app: Flask, client: FlaskClient) -> None:
    answer = client.get(_url(app, "css/app.css"))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    other = client.get("/static/css/app.css?v=another")
    assert "immutable" not in other.headers["Cache-Control"]


def test_files_come_packed_to_those_who_take_it(app: Flask, client: FlaskClient) -> None:
    url = _url(app, "js/app.js")
    plain = client.get(url)
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert all("Accept-Encoding" in answer.headers["Vary"] for answer in (plain, packed))
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get(url, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "css/../../app.py",
        "..%2fapp.py",
        "vendor/../../pyproject.toml",
        "icons.txt",
        "nothing.css",
        "a%00.css",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404


def test_a_changed_file_gets_another_address(tmp_path: Path) -> None:
    (tmp_path / "css").mkdir()
    file = tmp_path / "css" / "x.css"
    file.write_text("a{}")
    files = Assets(tmp_path)
    before = files.version("css/x.css")
    file.write_text("b{color:red}")
    assert files.version("css/x.css") != before


def test_vendor_files_are_found_by_their_plain_name(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "htmx.0123456789.js").write_text("1")
    (vendor / "manifest.json").write_text(json.dumps({"htmx.js": "htmx.0123456789.js"}))
    files = Assets(tmp_path)
    assert files.path("htmx.js") == "vendor/htmx.0123456789.js"
    assert files.path("missing.js") == "vendor/missing.js"


def test_every_icon_that_is_used_is_in_the_list(app: Flask) -> None:
    import re

    root = Path(app.extensions["pbxweb.root"])
    known = set((root / "static" / "icons.txt").read_text().split())
    used: set[str] = set()
    for template in (root / "templates").rglob("*.html"):
        used |= set(re.findall(r'icon\("([a-z0-9-]+)"', template.read_text()))
    used |= {item.icon for room in app.extensions["pbxweb.rooms"] for item in room.menu}
    assert not used - known
    with app.test_request_context():
        assert "#phone" in icon("phone")
