"""Whatever comes in, each record is stored, in quarantine or waiting; trouble finds its owner."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocsin.app.flow import reading_ahead
from tocsin.app.senders.door_losses import DoorLosses
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.app.settings.config import load_settings
from tocsin.app.source_owner import own_source
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.errors import IngestError
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.model.record import Framing, RawBatch, Unreadable
from tocsin.model.source import SourceLedger

NOW = datetime.now(UTC)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    settings = load_settings(
        home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False
    )
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def _now(house: Tocsin) -> dict[str, SourceLedger]:
    found = source_ledgers(house.state, house.sources, house.spool, NOW)
    assert found.is_whole
    for one in found.ledgers:
        assert one.received == one.stored + one.quarantined + one.waiting
    return {one.name: one for one in found.ledgers}


def _mixed() -> list[RawBatch]:
    hours = timedelta(hours=1)
    times = [NOW - 30 * hours, NOW - hours / 60, NOW + 5 * hours]
    lines = [json.dumps({"time": time.isoformat(), "a": n}) for n, time in enumerate(times)]
    zeek = b"#separator \\x09\n#path\tconn\n#fields\tts\tuid\n#types\ttime\tstring\n1.0\tC1\nbad\n2.0\tC2"
    return [
        RawBatch("web", "\n".join([*lines, '{"cut', "text", "{"]).encode(), NOW),
        RawBatch("fw", b"<13>Oct  1 10:00:00 fw a: b\n<13>1 - - - - - - c", NOW, Framing.SYSLOG),
        RawBatch("zeek", zeek, NOW, Framing.ZEEK_TSV),
        RawBatch("huge", b"{" * 5000, NOW, Framing.FRAGMENT),
    ]


def test_every_record_is_in_one_place_before_and_after_it_was_worked_on(house: Tocsin) -> None:
    house.spool.append(_mixed())
    before = _now(house)
    assert (before["web"].waiting, before["fw"].waiting, before["web"].stored) == (6, 2, 0)
    house.flow.drain()
    house.flow.add_unreadable([Unreadable("web", "f.evtx", 1, "damaged", b"x")])
    after = _now(house)
    assert (after["web"].received, after["web"].stored, after["web"].quarantined) == (7, 4, 3)
    assert (after["fw"].received, after["fw"].stored) == (2, 2)
    assert after["zeek"].received == 3
    assert (after["huge"].received, after["huge"].quarantined) == (1, 1)
    assert {one.waiting for one in after.values()} == {0}
    house.replay.go(by="ana", now=NOW)
    _now(house)


def test_clocks_are_measured_against_the_receipt(house: Tocsin) -> None:
    micros = [(NOW + timedelta(seconds=offset)).isoformat() for offset in (-90_000, -5, 300)]
    lines = [
        json.dumps(
            {
                "EventID": 1,
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Provider_Name": "Microsoft-Windows-Sysmon",
                "Computer": "ws",
                "TimeCreated": time,
            }
        ).encode()
        for time in micros
    ]
    house.spool.append([RawBatch("ws", b"\n".join(lines), NOW)])
    house.flow.drain()
    found = _now(house)["ws"]
    assert (found.stored, found.ahead, found.late) == (3, 1, 1)


def test_poison_never_holds_up_its_own_or_another_source(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    normalize = reading_ahead.Normalizer.normalize_all

    def stumble(self: Any, parts: Any) -> Any:
        if any("POISON" in str(list(decoded.records)) for decoded, _ in parts):
            raise KeyError("POISON")
        return normalize(self, parts)

    monkeypatch.setattr(reading_ahead.Normalizer, "normalize_all", stumble)
    for _ in range(3):
        house.spool.append(split_lines(b'{"a": 1}\n{"b": 2}', "calm", NOW))
        house.spool.append(split_lines(b'{"a": "POISON"}', "odd", NOW))
        house.spool.append(split_lines(b'{"a": 1}', "odd", NOW))
    house.flow.drain()
    found = _now(house)
    assert (found["calm"].stored, found["calm"].quarantined) == (6, 0)
    assert (found["odd"].stored, found["odd"].quarantined) == (3, 3)
    assert house.spool.backlog_bytes() == 0
    monkeypatch.undo()
    assert house.replay.go(by="ana", now=NOW).stored == 3
    assert _now(house)["odd"].stored == 6


def _regular(house: Tocsin, name: str) -> None:
    start = int((NOW - timedelta(hours=2)).timestamp() * 1e6)
    times = start + np.arange(60) * 60_000_000
    last = NOW - timedelta(minutes=61)
    with house.state.begin() as tx:
        turn = SourceTurn(
            source=name,
            received=60,
            stored=60,
            quarantined=0,
            unrecognized=0,
            received_bytes=600,
            first_time=NOW - timedelta(hours=2),
            last_time=last,
            lanes=(),
            times_us=times,
        )
        house.sources.add(tx, [turn], last)


def test_a_silent_source_opens_one_task_for_its_owner(house: Tocsin) -> None:
    _regular(house, "syslog/FW-1")
    _regular(house, "nobodys")
    own_source(house, "syslog/FW-1", "ana", by="boss", now=NOW)
    assert house.upkeep.watch_sources(NOW) == 2
    house.upkeep.watch_sources(NOW + timedelta(minutes=1))
    with house.state.read() as tx:
        cases = house.cases.page(tx).items
        (case,) = cases
        (task,) = house.cases.tasks(tx, case.id)
        (alert,) = house.alerts.get_many(tx, case.alert_ids)
        assert house.audit.page(tx).items[0].action == "sources.owner"
    assert case.title == "Health of source syslog/FW-1"
    assert (task.assignee, alert.case_id) == ("ana", case.id)
    assert task.title.startswith("Log source fell silent: Last event")
    assert alert.entity.key == "source:syslog/fw-1"


def test_nobody_can_own_what_never_sent(house: Tocsin) -> None:
    with pytest.raises(IngestError, match="sources list"):
        own_source(house, "nothing", "ana", by="boss", now=NOW)


def test_what_is_lost_at_the_door_is_counted_once(house: Tocsin) -> None:
    losses = DoorLosses(house.state, house.sources, "dmz")
    for dropped, refused in ((None, 0), (0, 1), (3, 1), (3, 4), (10, 4)):
        losses.look(dropped, refused, NOW)
    found = _now(house)
    assert (found["syslog/udp/dmz"].dropped, found["syslog/udp/dmz"].tls_refused) == (10, 0)
    assert (found["syslog/tls/dmz"].dropped, found["syslog/tls/dmz"].tls_refused) == (0, 4)
