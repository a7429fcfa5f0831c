"""Events that no mapping knew are known once it is mended: moved to their lane, never doubled."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app.flow import reading_ahead
from tocsin.app.home.shipped import open_normalizer
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.event import EventBatch
from tocsin.model.record import RawBatch
from tocsin.model.source import SourceLedger
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.query import EventQuery, StoredEvent

NOW = datetime.now(UTC)
SYSMON = {
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "Computer": "WS-07.corp.example",
    "TimeCreated": NOW.isoformat(),
    "Image": "C:\\Windows\\System32\\whoami.exe",
    "CommandLine": "whoami /all",
    "User": "CORP\\alice",
}
RULE = """
title: Whoami
id: aaaaaaaa-0000-4000-8000-00000000000b
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains: 'whoami'}
  condition: selection
level: high
"""
Unknowing = Callable[[RawBatch], None]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    home = tmp_path / "home"
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "whoami.yml").write_text(RULE)
    settings = load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    opened = open_tocsin(settings)
    yield opened
    opened.close()


@pytest.fixture
def unknowing(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> Unknowing:
    """Takes in without any mapping."""

    def take_in(raw: RawBatch) -> None:
        nothing = Normalizer([])
        with monkeypatch.context() as patch:
            patch.setattr(
                reading_ahead.Normalizer,
                "normalize_all",
                lambda _, parts: _plain(nothing, parts),
            )
            house.spool.append([raw])
            house.flow.drain()

    plain = Normalizer.normalize_all

    def _plain(nothing: Normalizer, parts: object) -> list[EventBatch]:
        return plain(nothing, parts)  # type: ignore[arg-type]

    return take_in


def _raw(*records: dict[str, object], source: str = "ws-07") -> RawBatch:
    return RawBatch(source, "\n".join(map(json.dumps, records)).encode(), NOW)


def _stored(house: Tocsin) -> dict[str, StoredEvent]:
    found = house.events.search(EventQuery(size=1000)).events
    assert len({one.event_id for one in found}) == len(found)
    return {one.event_id: one for one in found if one.source != "tocsin"}


def _ledger(house: Tocsin, name: str = "ws-07") -> SourceLedger:
    with house.state.read() as tx:
        return next(one for one in house.sources.sources(tx) if one.name == name)


def _go(house: Tocsin, source: str | None = None) -> tuple[int, int]:
    tried = recognized = 0
    after: str | None = ""
    while after is not None:
        done = house.unknown.go(by="ana", now=NOW, after=after, source=source)
        tried, recognized, after = tried + done.tried, recognized + done.recognized, done.next_after
    return tried, recognized


def test_what_is_known_now_moves_to_its_lane_and_rules_see_it(
    house: Tocsin, unknowing: Unknowing
) -> None:
    unknowing(_raw(SYSMON, {"a": 1}, {**SYSMON, "CommandLine": "ipconfig"}))
    before = _stored(house)
    assert {one.lane for one in before.values()} == {"unknown.record"}
    assert _ledger(house).unrecognized == 3
    assert _go(house) == (3, 2)
    after = _stored(house)
    assert after.keys() == before.keys()
    lanes = sorted(one.lane for one in after.values())
    assert lanes[0] == "unknown.record"
    assert lanes[1] == lanes[2] != "unknown.record"
    assert all(after[name].native == before[name].native for name in before)
    ledger = _ledger(house)
    assert (ledger.received, ledger.stored, ledger.unrecognized) == (3, 3, 1)
    assert lanes[1] in ledger.lanes
    with house.state.read() as tx:
        (alert,) = house.alerts.page(tx).items
    assert alert.exemplars[0].event_id in before


def test_again_and_after_a_merge_nothing_is_doubled(house: Tocsin, unknowing: Unknowing) -> None:
    for number in range(9):
        unknowing(_raw({**SYSMON, "CommandLine": f"whoami {number}"}, {"a": number}))
    assert _go(house) == (18, 9)
    assert _go(house) == (9, 0)
    house.events.merge_small()
    assert len(_stored(house)) == 18
    assert _go(house) == (9, 0)
    assert house.events.sweep_orphans() == 0


def test_only_the_source_asked_for_is_tried(house: Tocsin, unknowing: Unknowing) -> None:
    unknowing(_raw(SYSMON))
    unknowing(_raw(SYSMON, source="ws-08"))
    assert _go(house, "ws-08") == (1, 1)
    assert (_ledger(house).unrecognized, _ledger(house, "ws-08").unrecognized) == (1, 0)


def test_a_turn_that_fails_leaves_everything_as_it_was(
    house: Tocsin, unknowing: Unknowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknowing(_raw(SYSMON))
    before = _stored(house)
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            raise OSError("no space left")

        patch.setattr(house.sources, "recognize", fail)
        with pytest.raises(OSError, match="no space"):
            house.unknown.go(by="ana", now=NOW)
    assert _stored(house) == before
    assert _go(house) == (1, 1)
    assert len(_stored(house)) == 1


def test_the_shipped_mappings_know_the_unknown_lane() -> None:
    assert open_normalizer().lanes[-1].id == "unknown.record"
