"""The fields a source has shown are known, and looked at again only now and then."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tocsin.ingest.sources.seen_fields import SeenFields, new_fields
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.state.sqlite_state import SqliteState

NOW = datetime(2026, 1, 5, tzinfo=UTC)
LANE = Lane("acme", "log", "acme")


def _batch(records: Sequence[dict[str, object]], sources: Sequence[str]) -> EventBatch:
    times = pa.array([NOW] * len(records), pa.timestamp("us", "UTC"))
    return EventBatch(
        lane=LANE,
        sources=pa.array(sources),
        tenant="default",
        event_ids=pa.array([str(at) for at in range(len(records))]),
        times=times,
        ingested_at=times,
        native=pa.RecordBatch.from_pylist(list(records)),
        ocsf=pa.RecordBatch.from_pydict({"class_uid": pa.array([0] * len(records), pa.int32())}),
        raw=pa.nulls(len(records), pa.binary()),
    )


@pytest.fixture
def state(tmp_path: Path) -> SqliteState:
    return SqliteState(tmp_path / "state.sqlite")


def test_each_source_has_its_own_fields_nested_ones_by_their_path(state: SqliteState) -> None:
    book = SeenFields()
    batch = _batch(
        [
            {"name": "a", "user": {"id": 1, "tags": [{"key": "x"}]}, "only": None},
            {"name": "b", "user": None, "only": "here"},
        ],
        ["one", "two"],
    )
    with state.begin() as tx:
        book.add(tx, [batch], NOW)
    with state.read() as tx:
        fields = book.fields(tx)[LANE.id]
    assert fields["one"] == {"name", "user", "user.id", "user.tags", "user.tags.key"}
    assert fields["two"] == {"name", "only"}


def test_a_field_that_comes_later_is_added_and_none_is_forgotten(state: SqliteState) -> None:
    book = SeenFields()
    with state.begin() as tx:
        book.add(tx, [_batch([{"a": 1}], ["one"])], NOW)
        book.add(tx, [_batch([{"b": 1}], ["one"])], NOW)
    with state.read() as tx:
        assert book.fields(tx)[LANE.id]["one"] == {"a", "b"}


def test_a_column_first_filled_later_is_seen_when_it_is_looked_at_again(
    state: SqliteState,
) -> None:
    book = SeenFields()
    empty = _batch([{"a": 1, "b": None}, {"a": 2, "b": 1}], ["one", "two"])
    filled = _batch([{"a": 1, "b": 2}], ["one"])
    with state.begin() as tx:
        book.add(tx, [empty], NOW)
        book.add(tx, [filled], NOW + timedelta(minutes=11))
    with state.read() as tx:
        assert "b" in book.fields(tx)[LANE.id]["one"]


def test_another_process_reads_what_was_kept_and_adds_to_it(state: SqliteState) -> None:
    with state.begin() as tx:
        SeenFields().add(tx, [_batch([{"a": 1}], ["one"])], NOW)
    again = SeenFields()
    with state.begin() as tx:
        again.add(tx, [_batch([{"b": 1}], ["one"])], NOW)
    with state.read() as tx:
        assert again.fields(tx)[LANE.id]["one"] == {"a", "b"}


def test_fields_are_new_for_an_hour_once_a_source_is_known(state: SqliteState) -> None:
    book, later = SeenFields(), NOW + timedelta(days=2)
    with state.begin() as tx:
        book.add(tx, [_batch([{"a": 1}], ["one"])], NOW)
        book.add(tx, [_batch([{"a": 1, "b": 1}], ["one"])], NOW + timedelta(hours=1))
        assert new_fields(tx, NOW + timedelta(hours=1)) == {("default", "one"): {}}
        book.add(tx, [_batch([{"a": 1, "c": 1, "d": 2}], ["one"])], later)
        assert new_fields(tx, later) == {("default", "one"): {"c": LANE.id, "d": LANE.id}}
        assert new_fields(tx, later + timedelta(minutes=61)) == {("default", "one"): {}}


def test_names_that_are_made_up_push_out_none_that_were_there(
    state: SqliteState, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tocsin.ingest.sources.seen_fields._MOST_FIELDS", 10)
    book = SeenFields()
    for turn in range(5):
        made_up = {f"a{turn}_{number}": 1 for number in range(6)}
        with state.begin() as tx:
            book.add(tx, [_batch([{"zone": "x", **made_up}], ["one"])], NOW)
    with state.read() as tx:
        kept = book.fields(tx)[LANE.id]["one"]
    assert len(kept) == 10
    assert {"zone", *(f"a0_{number}" for number in range(6))} <= kept
    assert max(map(len, book._columns.values())) <= 10 + 7
    assert capsys.readouterr().out.count("source_fields_full") == 1
