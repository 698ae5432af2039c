"""From saving a phone to its being live: the whole PATCH over HTTP, beside a bare reload of the same file."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from pathlib import Path

import pytest

from pbxweb.asterisk.ami import AmiVerbs, one_shot
from pbxweb.storage.secrets import Vault
from tests.asterisk.pbx import HOST
from tests.bench.tables import milliseconds, table
from tests.served import Served

TIMES = 25
# Phones, and what a change may take beside the bare reload.
BARS = {100: lambda bare: bare + 0.020, 500: lambda bare: bare * 1.5}


def bare_reload(link: AmiVerbs, file: Path) -> float:
    """Seconds that Asterisk needs to read a pjsip.conf with one other name in it; afterwards all is as it was."""
    text = file.read_text()
    file.write_text(text.replace('callerid = "', 'callerid = "X', 1))
    began = time.perf_counter()
    link.reload("res_pjsip.so")
    taken = time.perf_counter() - began
    file.write_text(text)
    link.reload("res_pjsip.so")
    return taken


def save(connection: http.client.HTTPConnection, token: str, extension_id: str, name: str) -> float:
    """Seconds from the request to the whole answer of one change."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    began = time.perf_counter()
    connection.request("PATCH", f"/api/v1/extensions/{extension_id}", json.dumps({"displayName": name}), headers)
    response = connection.getresponse()
    body = response.read()
    taken = time.perf_counter() - began
    assert response.status == 200, body
    return taken


@pytest.mark.parametrize("count", BARS)
def test_save_to_live(tmp_path: Path, count: int) -> None:
    served = Served(tmp_path / "var").start()
    try:
        served.set_up(phones=0, digits=4)
        pattern = {"firstNumber": "2000", "count": count, "namePattern": "Phone {number}"}
        answer = served.api("POST", "/extensions/bulk", pattern)
        assert answer.status < 300, answer
        extension_id = served.api("GET", "/extensions?limit=100").body["data"][50]["id"]
        secret = Vault(served.settings.secrets).text("ami")
        connection = http.client.HTTPConnection(HOST, served.settings.http.port, timeout=30)
        bare, saved = [], []
        with one_shot(HOST, served.settings.ami_port, "pbxweb", secret) as link:
            for index in range(TIMES):
                bare.append(bare_reload(link, served.settings.asterisk_etc / "pjsip.conf"))
                saved.append(save(connection, served.token, extension_id, f"Zoë {index}"))
        floor, ours = statistics.median(bare), statistics.median(saved)
        bar = BARS[count](floor)
        rows = [
            ("bare reload of pjsip.conf", milliseconds(floor)),
            ("PATCH, answer included", milliseconds(ours)),
            ("everything besides", milliseconds(ours - floor)),
            ("bar", milliseconds(bar)),
            ("slowest", milliseconds(max(saved))),
        ]
        table(f"Save to live with {count} phones (median of {TIMES})", rows)
        assert ours <= bar
    finally:
        served.close()
