"""The base files on a real Asterisk: a silent log, few doors, records with times, files that reload or are refused."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxweb.asterisk.check import check
from pbxweb.asterisk.conf import RELOADS, marker_of, reload_of
from tests.asterisk.pbx import HOST, Pbx, extension, rows, until
from tests.asterisk.phones import Phones
from tests.asterisk.sipuser import SipUser


@pytest.fixture
def own_pbx(tmp_path: Path, engine_dir: Path) -> Iterator[Pbx]:
    """An Asterisk for one test alone."""
    pbx = Pbx(tmp_path / "pbx", engine_dir, rtp_ports=20)
    try:
        yield pbx.start([extension("200"), extension("201")])
    finally:
        pbx.stop()


def test_the_log_is_silent_after_a_start_and_reloads(own_pbx: Pbx) -> None:
    assert own_pbx.log() == []
    for file in RELOADS:
        path = own_pbx.settings.asterisk_etc / file
        path.write_text(path.read_text() + "; changed\n")
        own_pbx.ami.reload(reload_of(file))
    assert own_pbx.log() == []


def test_the_checked_files_are_those_that_asterisk_takes(own_pbx: Pbx) -> None:
    assert check(own_pbx.pieces(own_pbx.extensions), own_pbx.base.directories.data / "sounds") == []


def test_a_changed_phone_is_live_and_its_marker_says_so(own_pbx: Pbx) -> None:
    own_pbx.apply([extension("200", display_name="Neu"), extension("202")])
    assert own_pbx.ami.getvar("PJSIP_ENDPOINT(200,callerid)") == '"Neu" <200>'
    assert own_pbx.ami.getvar("DIALPLAN_EXISTS(pbxweb-extensions,202,1)") == "1"
    assert own_pbx.ami.getvar("DIALPLAN_EXISTS(pbxweb-extensions,201,1)") == "0"


def test_a_torn_file_is_refused_and_its_marker_does_not_come(own_pbx: Pbx) -> None:
    phones, old_phones = [extension("200"), extension("203")], own_pbx.extensions
    for file in ("pjsip.conf", "extensions.conf"):
        path = own_pbx.settings.asterisk_etc / file
        old = path.read_text()
        before = marker_of(file, old)
        assert before is not None
        own_pbx.write(phones)
        new = path.read_text()
        path.write_text(new.replace("[general]" if file == "extensions.conf" else "[global]", "[general", 1))
        own_pbx.cli(f"module reload {reload_of(file)}")
        after = marker_of(file, new)
        assert after is not None
        assert own_pbx.ami.getvar(before.variable) == before.value
        assert own_pbx.ami.getvar(after.variable) != after.value
        own_pbx.write(old_phones)


def test_only_what_phones_and_pbxweb_need_listens(pbx: Pbx) -> None:
    pid = pbx.engine.status().pid
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if "socket:" in str(link.readlink())}
    listening = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            listening.add(int(fields[1].partition(":")[2], 16))
    settings = pbx.settings
    assert listening == {settings.ami_port, settings.sip_bind.port, settings.sip_tls_port}


@pytest.mark.parametrize("action", ["Command", "UpdateConfig", "CreateConfig", "MixMonitor", "AGI"])
def test_the_managers_account_cannot_do_more_than_it_needs(pbx: Pbx, action: str) -> None:
    with socket.create_connection((HOST, pbx.settings.ami_port), timeout=5) as peer:
        file = peer.makefile("rwb")
        file.readline()
        file.write(b"Action: Login\r\nUsername: pbxweb\r\nSecret: made-for-a-test\r\nEvents: off\r\n\r\n")
        file.write(f"Action: {action}\r\nCommand: core show version\r\nFilename: manager.conf\r\n\r\n".encode())
        file.flush()
        text = b""
        while text.count(b"\r\n\r\n") < 2:
            text += file.readline()
    answer = text.split(b"\r\n\r\n")[1]
    assert b"Response: Error" in answer
    assert b"Permission denied" in answer or b"unknown command" in answer


def test_a_call_is_recorded_with_its_times(pbx: Pbx, phones: Phones) -> None:
    anna, bert = phones.add("200"), phones.add("201", answer="auto")
    anna.dial("201").talking()
    linked = pbx.ami.getvar("CHANNEL(linkedid)", pbx.channels()[0])
    assert anna.hears(bert.hertz)
    anna.hang_up()
    bert.closed()
    query = "SELECT * FROM cdr WHERE linkedid = ?"
    record = until(lambda: rows(pbx.settings.cdr_database, query, [linked]))[0]
    assert (record["src"], record["dst"], record["disposition"]) == ("200", "201", "ANSWERED")
    start, answer, end = (float(str(record[name])) for name in ("start", "answer", "end"))
    assert 1.7e9 < start <= answer < end
    assert "PJSIP/201-" in str(record["dstchannel"])

    query = "SELECT * FROM cel WHERE linkedid = ? ORDER BY AcctId"

    def told() -> list[dict[str, object]]:
        found = rows(pbx.settings.cel_database, query, [linked])
        return found if found and found[-1]["eventtype"] == "LINKEDID_END" else []

    events = until(told, what="the call's last event")
    kinds = [event["eventtype"] for event in events]
    assert {"CHAN_START", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP", "CHAN_END"} <= set(kinds)
    assert kinds[0] == "CHAN_START"
    assert kinds[-1] == "LINKEDID_END"
    assert float(str(events[0]["eventtime"])) <= float(str(events[-1]["eventtime"]))


def test_a_busy_and_an_absent_phone_are_recorded_as_such(pbx: Pbx, phones: Phones, sip: Callable[..., SipUser]) -> None:
    phones.add("201")
    pbx.ami.dbput("pbxweb-dnd", "201", "1")
    anna = phones.add("200")
    count = len(rows(pbx.settings.cdr_database, "SELECT 1 FROM cdr"))
    for number in ("201", "204", "299"):
        anna.forget()
        anna.dial(number).closed(20)
    until(lambda: len(rows(pbx.settings.cdr_database, "SELECT 1 FROM cdr")) >= count + 3)
    found = rows(pbx.settings.cdr_database, "SELECT dst, disposition, answer FROM cdr ORDER BY AcctId DESC LIMIT 3")
    assert {row["dst"]: row["disposition"] for row in found} == {"201": "BUSY", "204": "NO ANSWER", "299": "NO ANSWER"}
    assert all(float(str(row["answer"])) == 0 for row in found)


def test_a_phones_settings_reach_the_running_asterisk(own_pbx: Pbx) -> None:
    phone = extension("204", codecs=("g722", "pcmu"), max_contacts=7, max_calls=3, language="de", pickup_group="house")
    own_pbx.apply([phone])
    assert own_pbx.ami.getvar("PJSIP_ENDPOINT(204,allow)") == "(g722|ulaw)"
    assert own_pbx.ami.getvar("PJSIP_ENDPOINT(204,device_state_busy_at)") == "3"
    assert own_pbx.ami.getvar("PJSIP_ENDPOINT(204,language)") == "de"
    assert own_pbx.ami.getvar("PJSIP_ENDPOINT(204,named_pickup_group)") == "house"
    assert own_pbx.ami.getvar("PJSIP_AOR(204,max_contacts)") == "7"
    own_pbx.apply([dataclasses.replace(phone, enabled=False)])
    assert own_pbx.ami.getvar("DIALPLAN_EXISTS(pbxweb-extensions,204,1)") == "0"
