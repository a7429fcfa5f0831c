"""Events of the last turns are at hand as the store would give them back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.flow.last_events import last_events
from tocsin.app.flow.recent_events import RecentEvents
from tocsin.app.home.shipped import open_normalizer
from tocsin.detect.correlate.correlated import Correlated
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.lane import LogSource
from tocsin.model.record import Framing, Origin, RawBatch
from tocsin.model.rule import Rule
from tocsin.model.severity import Level
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState

NOW = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
RULE = Rule("r", "Rule", Level.LOW, LogSource())
LINES = b"""<38>Jun 30 11:00:00 jump sshd[42]: Failed password for root from 203.0.113.9 port 5022 ssh2
{"z": {"b": 1, "a": [{"y": null, "x": 1.5}]}, "a": true, "\\u00e4": "e", "list": [], "n": null}
{"EventID": 4625, "Channel": "Security", "Computer": "ws", "TargetUserName": "ada", "Zeit": 2.0}
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = SqliteState(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def events(tmp_path: Path, state: SqliteState) -> Iterator[ParquetEvents]:
    opened = ParquetEvents(tmp_path / "events", state)
    yield opened
    opened.close()


def stored(events: ParquetEvents, state: SqliteState, position: int) -> list[EventBatch]:
    raw = RawBatch("web", LINES, NOW, Framing.LINES)
    batches = open_normalizer().normalize(decode(raw), Origin("web", NOW, "spool", position))
    segment = events.write(batches)
    assert segment is not None
    with state.begin() as tx:
        events.publish(tx, segment)
    return batches


def verdicts(batches: list[EventBatch]) -> list[Correlated]:
    return [
        Correlated(
            rule=RULE,
            finding_id="finding",
            group=(),
            since=time,
            time=time,
            measured=1.0,
            because="",
            event_ids=("0", event_id),
            event_count=2,
            lane="",
            source="",
            native={},
            ocsf={},
        )
        for batch in batches
        for event_id, time in zip(batch.event_ids.to_pylist(), batch.times.to_pylist(), strict=True)
    ]


def test_they_are_what_the_store_has(events: ParquetEvents, state: SqliteState) -> None:
    batches = stored(events, state, 1)
    asked = verdicts(batches)
    recent = RecentEvents(events)
    expected = recent.last_of(asked)
    assert expected == last_events(events, asked)
    assert len(expected) == len(asked) == 3
    recent.keep(batches)
    events.close()
    found = recent.last_of(asked)
    assert found == expected
    assert {key: repr(one.native) for key, one in found.items()} == {
        key: repr(one.native) for key, one in expected.items()
    }


def test_what_is_kept_no_more_is_looked_up(events: ParquetEvents, state: SqliteState) -> None:
    earlier, later = stored(events, state, 1), stored(events, state, 2)
    recent = RecentEvents(
        events, most_bytes=sum(one.native.nbytes + one.ocsf.nbytes for one in later)
    )
    recent.keep(earlier)
    recent.keep(later)
    asked = verdicts([*earlier, *later])
    found = recent.last_of(asked)
    assert found == last_events(events, asked)
    assert len(found) == 6


def test_an_event_that_is_nowhere_is_left_out(events: ParquetEvents, state: SqliteState) -> None:
    asked = verdicts(stored(events, state, 1))
    lost = verdicts(
        open_normalizer().normalize(
            decode(RawBatch("web", LINES, NOW + timedelta(days=1), Framing.LINES)),
            Origin("web", NOW, "elsewhere", 9),
        )
    )
    assert len(RecentEvents(events).last_of([*asked, *lost])) == len(asked)
