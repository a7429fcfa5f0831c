"""Which segments are merged together: as many as fit into memory, and each event few times."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.store.engines.parquet.merge_plan import MergePlan
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_facts import SegmentFacts
from tocsin.store.engines.parquet.segment_file import LAYOUT
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import Segment
from tocsin.store.query import EventQuery
from tocsin.store.tables import segment_facts

MB = 1_000_000
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def segment(number: int, rows: int) -> Segment:
    at = NOON + timedelta(minutes=number)
    return Segment(
        id=f"{number:02}",
        path=f"{LAYOUT}-20260301/{number}.parquet",
        rows=rows,
        size_bytes=rows * 50,
        first_time=at,
        last_time=at,
        sources=("s",),
        lanes=("windows.process_creation",),
        checksum="",
    )


def sizes(segments: list[Segment], bytes_an_event: int) -> list[list[int]]:
    groups = MergePlan().groups(segments, lambda one: one.rows * bytes_an_event)
    return [[one.rows for one in group] for group in groups]


def test_narrow_events_are_merged_by_their_number() -> None:
    fresh = [segment(number, 36_000) for number in range(14)]
    assert sizes(fresh, 200) == [[36_000] * 14]


def test_wide_events_are_merged_as_far_as_memory_goes() -> None:
    fresh = [segment(number, 36_000) for number in range(14)]
    groups = sizes(fresh, 2_000)
    assert groups == [[36_000] * 5, [36_000] * 5]
    assert all(sum(group) * 2_000 <= 384 * MB for group in groups)


def test_what_is_large_in_memory_is_not_written_again() -> None:
    merged = [segment(number, 180_000) for number in range(10)]
    assert sizes(merged, 2_000) == []
    assert sizes(merged, 200) != []


@pytest.mark.parametrize("is_told", [True, False])
def test_the_store_knows_what_its_segments_hold(tmp_path, make_batch, is_told):
    """Segments of earlier builds say nothing of it and are merged all the same."""
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=3)
    with closing(state), closing(events):
        for position in range(3):
            written = events.write([make_batch([{}, {}], position=position)])
            assert SegmentFacts(written.facts).held_bytes > 0
            with state.begin() as tx:
                events.publish(tx, written)
                if not is_told:
                    tx.execute(segment_facts.delete())
        before = events.search(EventQuery()).events
        assert events.merge_small() == 3
        assert len(events.segments(None, None)) == 1
        assert events.search(EventQuery()).events == before
