"""What a damaged segment does to a replay: it is told with its place, and the rest goes on."""

import pytest

from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import ReplayQuery, StoreMoved

LANE = Lane("test", "plain", "test")


@pytest.fixture
def folder(tmp_path, make_batch):
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=2)
    for n in range(3):
        segment = events.write([make_batch([{"native": {"n": n}, "at": 60 * n}], position=n)])
        with state.begin() as tx:
            events.publish(tx, segment)
    events.close()
    state.close()
    return tmp_path


def opened(folder):
    state = SqliteState(folder / "state.db")
    return ParquetEvents(folder / "events", state, merge_at=2), state


def replayed(events):
    damage = []
    batches = events.replay(ReplayQuery(), lambda _: LANE, damage.append)
    return [row["n"] for batch in batches for row in batch.native_rows(range(len(batch)))], damage


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone"])
def test_a_damaged_segment_is_told_and_the_rest_goes_on(folder, harm):
    events, state = opened(folder)
    path = folder / "events" / events.segments(None, None)[1].path
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "flipped":
        content[10] ^= 0xFF
        path.write_bytes(content)
    else:
        path.unlink()
    found, damage = replayed(events)
    assert found == [0, 2]
    (one,) = damage
    assert one.place == str(path)
    assert one.events == 1
    assert "restore the file from a backup" in one.reason
    events.close()
    state.close()


def test_a_segment_merged_away_meanwhile_is_no_damage(folder):
    reader, state = opened(folder)
    merger, other_state = opened(folder)
    damage = []
    listed = reader.segments(None, None)
    reader.segments = lambda *_: listed
    assert merger.merge_small() == 3
    with pytest.raises(StoreMoved, match="begin again"):
        list(reader.replay(ReplayQuery(), lambda _: LANE, damage.append))
    assert damage == []
    for one in (reader, merger, state, other_state):
        one.close()
