"""A sender that makes up field names fills neither the state nor the memory with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.conftest import MakeBatch
from tocsin.model.field_path import REMAINDER
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery


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


def test_fields_are_kept_up_to_a_number_and_found_beyond_it(
    state: SqliteState,
    events: ParquetEvents,
    make_batch: MakeBatch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(manifest, "MOST_FIELDS", 20)
    for turn in range(6):
        names = {f"k{turn}_{number}": f"v{turn}" for number in range(10)}
        made_up = make_batch([{"native": {"Image": "x", **names}}], position=turn)
        rest = make_batch([{"native": {REMAINDER: '{"rare": "yes"}'}}], position=turn + 100)
        other = make_batch([{"native": {"plain": "1"}}], lane="test.other", position=turn + 200)
        parts = [made_up, other] if turn < 4 else [made_up, rest, other]
        segment = events.write(parts)
        assert segment is not None
        with state.begin() as tx:
            events.publish(tx, segment)
    with state.read() as tx:
        kept = manifest.fields(tx)
    native = {one.path[-1] for one in kept if (one.lane, one.space) == ("test.plain", "native")}
    assert len(native) == 20 + 1
    assert {"Image", REMAINDER} <= native
    assert ("test.other", ("plain",)) in {(one.lane, one.path) for one in kept}
    for text, total in (
        ("native.Image:x", 6),
        ("native.k0_1:v0", 1),
        ("native.k5_9:v5", 1),
        ("native.rare:yes", 2),
        ("native.plain:1", 6),
    ):
        assert events.search(EventQuery(text)).total == total, text
    assert capsys.readouterr().out.count("fields_full") == 1


def test_what_a_transaction_that_failed_brought_is_not_taken_for_known(
    state: SqliteState, events: ParquetEvents, make_batch: MakeBatch
) -> None:
    segment = events.write([make_batch([{"native": {"once": "1"}}])])
    assert segment is not None

    def fail() -> None:
        with state.begin() as tx:
            events.publish(tx, segment)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with state.begin() as tx:
        events.publish(tx, segment)
    with state.read() as tx:
        assert ("once",) in {one.path for one in manifest.fields(tx)}
