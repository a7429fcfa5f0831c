"""What a mended decoder can read leaves the quarantine for the store, exactly once."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin.app.flow import reading_ahead
from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.app.senders import quarantine_replay
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.decode import decode
from tocsin.model.record import Decoded, Framing, RawBatch, Unreadable
from tocsin.model.source import SourceLedger
from tocsin.normalize.normalizer import Normalizer
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
}

RULE = """
title: Encoded PowerShell
id: aaaaaaaa-0000-4000-8000-00000000000a
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains: ' -EncodedCommand '}
  condition: selection
level: high
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    home = tmp_path / "home"
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "encoded.yml").write_text(RULE)
    settings = load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def _broken(raw: RawBatch) -> Decoded:
    """A decoder that can't read what says ``powershell``."""
    decoded = decode(raw)
    bad = {n for n, record in enumerate(decoded.records) if "powershell" in str(record)}
    lines, ordinals = list(decoded.lines), decoded.ordinals
    refused = [
        Unreadable(raw.source, raw.place, raw.first_ordinal + ordinals[n], "broken", lines[n])
        for n in bad
    ]
    kept = [n for n in range(len(lines)) if n not in bad]
    return Decoded(
        [decoded.records[n] for n in kept],
        [lines[n] for n in kept],
        [ordinals[n] for n in kept],
        [*decoded.unreadable, *refused],
    )


def _take_in(house: Tocsin, *raws: RawBatch) -> None:
    house.spool.append(list(raws))
    house.flow.drain()


def _ledger(house: Tocsin, name: str = "ws-07") -> SourceLedger:
    with house.state.read() as tx:
        return next(one for one in house.sources.sources(tx) if one.name == name)


def _stored(house: Tocsin) -> list[str]:
    return [one.event_id for one in house.events.search(EventQuery(size=1000)).events]


@pytest.fixture
def set_aside(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def take_in(*raws: RawBatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(DecodingAhead, "taken", lambda _, raws: [_broken(raw) for raw in raws])
            _take_in(house, *raws)

    return take_in


def _raw(*lines: Any, **more: Any) -> RawBatch:
    payload = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
    )
    return RawBatch("ws-07", payload, NOW, **more)


def test_a_mended_record_is_stored_seen_by_rules_and_leaves(
    house: Tocsin, set_aside: Callable[..., None]
) -> None:
    set_aside(_raw(ENCODED, {"a": 1}, b'{"cut": "off', b"just a line"))
    before = _ledger(house)
    assert (before.received, before.stored, before.quarantined) == (4, 2, 2)
    done = house.replay.go(by="ana", now=NOW)
    assert (done.tried, done.stored, done.failed) == (2, 1, 1)
    after = _ledger(house)
    assert (after.received, after.stored, after.quarantined) == (4, 3, 1)
    assert set(after.lanes) > set(before.lanes)
    with house.state.read() as tx:
        assert house.alerts.page(tx).items, "rules did not look at what was replayed"
        assert house.audit.page(tx).items[0].action == "sources.replay"
        (left,) = house.sources.quarantined(tx).items
    assert left.excerpt == '{"cut": "off'


def test_a_second_replay_stores_nothing_twice(
    house: Tocsin, set_aside: Callable[..., None]
) -> None:
    set_aside(_raw(*([ENCODED] * 5)))
    assert house.replay.go(by="ana", now=NOW).stored == 5
    ids = _stored(house)
    assert house.replay.go(by="ana", now=NOW).tried == 0
    assert _stored(house) == ids
    assert len(set(ids)) == len(ids)


def test_what_still_fails_stays_with_its_new_reason(house: Tocsin) -> None:
    _take_in(house, _raw(b'{"cut": "off'))
    with house.state.begin() as tx:
        (kept,) = house.sources.quarantined(tx).items
        quarantine_replay.Quarantine().note_reason(tx, kept.id, "an old reason")
    done = house.replay.go(by="ana", now=NOW)
    with house.state.read() as tx:
        (left,) = house.sources.quarantined(tx).items
    assert (done.failed, left.id, left.reason) == (1, kept.id, kept.reason)
    assert list(done.reasons) == [kept.reason]


def test_a_replay_goes_on_part_by_part(house: Tocsin, set_aside: Callable[..., None]) -> None:
    set_aside(_raw(*([ENCODED] * 7), b'{"cut": "off'))
    tried, after = [], ""
    while (done := house.replay.go(by="ana", now=NOW, after=after, size=3)).next_after:
        tried.append(done.tried)
        after = done.next_after
    assert tried == [3, 3, 2]
    assert (_ledger(house).stored, _ledger(house).quarantined) == (7, 1)


def test_only_the_asked_source_and_time_are_tried(
    house: Tocsin, set_aside: Callable[..., None]
) -> None:
    old = RawBatch("ws-08", json.dumps(ENCODED).encode(), NOW - timedelta(days=2))
    set_aside(_raw(ENCODED), old)
    assert house.replay.go(by="ana", now=NOW, source="elsewhere").tried == 0
    assert house.replay.go(by="ana", now=NOW, since=NOW - timedelta(days=1)).tried == 1
    assert _ledger(house, "ws-08").quarantined == 1
    assert house.replay.go(by="ana", now=NOW, source="ws-08").stored == 1


def test_a_record_below_a_header_is_read_with_it(
    house: Tocsin, set_aside: Callable[..., None]
) -> None:
    head = b"#Software: Microsoft Internet Information Services 10.0\n#Fields: date time cs-method cs-uri-stem"
    fine = NOW.strftime("%Y-%m-%d %H:%M:%S").encode()
    body = head + b"\n" + fine + b" GET /ok\n#Fields: date time cs-uri-stem\n" + fine
    set_aside(_raw(body + b" /powershell", framing=Framing.W3C))
    assert _ledger(house).quarantined == 1
    assert house.replay.go(by="ana", now=NOW).stored == 1
    found = [house.events.get(event_id) for event_id in _stored(house)]
    assert {(one.native.get("cs-method"), one.native["cs-uri-stem"]) for one in found if one} == {
        ("GET", "/ok"),
        (None, "/powershell"),
    }


def test_a_syslog_message_of_several_lines_is_read_whole(
    house: Tocsin, set_aside: Callable[..., None]
) -> None:
    message = b"<13>Oct  1 10:00:00 ws-07 app: powershell\\nsecond"
    set_aside(_raw(message, framing=Framing.SYSLOG))
    assert house.replay.go(by="ana", now=NOW).stored == 1
    (event_id,) = _stored(house)
    event = house.events.get(event_id)
    assert event is not None
    assert event.native["message"] == "powershell\nsecond"


def test_a_record_something_stumbles_over_stays_alone(
    house: Tocsin, set_aside: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = {**ENCODED, "CommandLine": "powershell POISON"}
    set_aside(_raw(ENCODED, poison, ENCODED))
    normalize = Normalizer.normalize_all

    def stumble(self: Normalizer, parts: Any) -> Any:
        if any("POISON" in str(list(decoded.records)) for decoded, _ in parts):
            raise KeyError("POISON")
        return normalize(self, parts)

    monkeypatch.setattr(reading_ahead.Normalizer, "normalize_all", stumble)
    done = house.replay.go(by="ana", now=NOW)
    assert (done.stored, done.failed) == (2, 1)
    assert "KeyError" in next(iter(done.reasons))
    assert (_ledger(house).stored, _ledger(house).quarantined) == (2, 1)
