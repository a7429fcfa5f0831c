"""A record walks from the spool to an alert, exactly once."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Framing, Origin, RawBatch
from tocsin.store.query import EventQuery

NOW = datetime.now(UTC)
ENCODED = {
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "Computer": "WS-07.corp.example",
    "TimeCreated": NOW.isoformat(),
    "Image": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "OriginalFileName": "PowerShell.EXE",
    "CommandLine": "powershell.exe -NoP -W Hidden -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA",
    "ParentImage": "C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE",
    "User": "CORP\\alice",
    "ProcessId": 4711,
    "ParentProcessId": 4000,
}


def _append(house: Tocsin, text: bytes, source: str = "ws-07") -> None:
    house.spool.append(split_lines(text, source=source, received_at=NOW))


def test_one_real_record_becomes_a_ranked_alert(house: Tocsin) -> None:
    _append(house, json.dumps(ENCODED).encode())
    house.flow.drain()
    with house.state.read() as tx:
        alerts = house.alerts.page(tx).items
        entities = house.risk.page(tx).items
    assert alerts, "an encoded PowerShell command under Word raised nothing"
    assert any(alert.entity.key == "host:ws-07" for alert in alerts)
    assert entities[0].score.value > 0
    assert sum(addend.points for addend in entities[0].score.addends) == pytest.approx(
        entities[0].score.value
    )
    first = alerts[0]
    assert house.rule(first.rule_id) is not None
    event = house.events.get(first.exemplars[0].event_id)
    assert event is not None
    assert event.native["CommandLine"] == ENCODED["CommandLine"]
    assert first.exemplars[0].matched


def test_the_ledger_adds_up_and_the_unreadable_is_kept(house: Tocsin) -> None:
    lines = [json.dumps(ENCODED).encode(), b'{"cut": "off', b"just a line", b'{"a": 1}']
    _append(house, b"\n".join(lines), "mixed")
    house.flow.drain()
    with house.state.read() as tx:
        (ledger,) = (one for one in house.sources.sources(tx) if one.name == "mixed")
        kept = house.sources.quarantined(tx, source="mixed").items
    assert (ledger.received, ledger.stored, ledger.quarantined) == (4, 3, 1)
    assert ledger.received == ledger.stored + ledger.quarantined
    assert house.blobs.get(kept[0].digest) == b'{"cut": "off'
    assert kept[0].ordinal == 2
    assert kept[0].reason


def test_a_turn_that_dies_before_its_commit_is_done_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path / "home", syslog__enabled=False)
    house = open_tocsin(settings)
    _append(house, json.dumps(ENCODED).encode())

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(house.spool, "commit", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            house.flow.turn()
    assert house.events.count() == 0
    with house.state.read() as tx:
        assert house.alerts.page(tx).total == 0
    house.close()

    again = open_tocsin(settings)
    again.flow.drain()
    page = again.events.search(EventQuery("source:ws-07"))
    assert page.total == 1
    with again.state.read() as tx:
        assert all(alert.count == 1 for alert in again.alerts.page(tx).items)
    files = list((settings.home / "events").rglob("*.parquet"))
    assert len(files) == 1, "the orphan of the broken turn is still there"
    again.close()


def test_findings_can_be_searched_like_any_event(house: Tocsin) -> None:
    _append(house, json.dumps(ENCODED).encode())
    house.flow.drain()
    page = house.events.search(EventQuery("lane:tocsin.finding"))
    assert page.total == house.flow.counts.findings > 0


def test_syslog_and_json_of_one_turn_land_in_their_lanes(house: Tocsin) -> None:
    line = b"<86>Nov 21 10:00:00 web-01 sshd[4242]: Failed password for root from 203.0.113.9 port 5022 ssh2"
    house.spool.append([RawBatch("syslog/web-01", line, NOW, Framing.SYSLOG)])
    _append(house, json.dumps(ENCODED).encode())
    house.flow.drain()
    found = house.events.search(EventQuery("src_ip:203.0.113.0/24"))
    assert [event.source for event in found.events] == ["syslog/web-01"]
    assert found.events[0].lane.startswith("linux.")


def test_a_batch_no_room_can_work_on_is_set_aside_and_stops_nobody(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    normal = house.normalizer.normalize_all

    def stumbles(parts: Sequence[tuple[Decoded, Origin]]) -> list[EventBatch]:
        if any(origin.source == "poison" for _, origin in parts):
            raise ZeroDivisionError("made up")
        return normal(parts)

    monkeypatch.setattr(house.normalizer, "normalize_all", stumbles)
    for source in ("before", "poison", "after"):
        _append(house, b'{"a": 1}\n{"a": 2}', source)
    house.flow.drain()
    with house.state.read() as tx:
        ledgers = {one.name: one for one in house.sources.sources(tx)}
        kept = house.sources.quarantined(tx, source="poison").items
    assert (ledgers["before"].stored, ledgers["after"].stored) == (2, 2)
    assert (ledgers["poison"].stored, ledgers["poison"].quarantined) == (0, 2)
    assert "ZeroDivisionError: made up" in kept[0].reason
    assert house.spool.backlog_bytes() == 0
