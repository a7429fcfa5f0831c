"""The benchmark of searches asks a store whose events differ as those of a month do."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest

from tocsin.app.benches import bench_history, bench_search
from tocsin.app.benches.bench_search import PEOPLE
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id_column
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_merge import merge
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

ASKED_OF_BOTH = """
import json, sys
from contextlib import closing
from pathlib import Path
from tocsin.app.benches.bench_clickhouse import clickhouse_beside
from tocsin.app.benches.bench_search import questions
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
made = Path(sys.argv[1])
told = []
def said(answer):
    if not hasattr(answer, "total"):
        return repr(answer)
    return [answer.total, [one.event_id for one in answer.events]]
with closing(SqliteState(made / "state.sqlite")) as state:
    with closing(ParquetEvents(made / "events", state)) as embedded:
        for _ in range(2):
            with clickhouse_beside(made, told.append) as store:
                asked = zip(*(questions(one, embedded).items() for one in (embedded, store)))
                answers = {one[0]: [said(one[1](0)), said(other[1](0))] for one, other in asked}
print(json.dumps([told, answers]))
"""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = 40


def day_of(lane: Lane, position: int) -> EventBatch:
    moment = pa.timestamp("us", "UTC")
    numbers = range(ROWS)
    return EventBatch(
        lane=lane,
        sources=pa.repeat("sensor", ROWS),
        tenant="default",
        event_ids=event_id_column(NOON, "spool", position, numbers),
        times=pa.array([NOON + timedelta(minutes=30 * number) for number in numbers], moment),
        ingested_at=pa.array([NOON] * ROWS, moment),
        native=pa.RecordBatch.from_pydict({"LogonType": [str(number % 3) for number in numbers]}),
        ocsf=pa.RecordBatch.from_pydict(
            {
                "severity_id": pa.array([1] * ROWS, pa.int32()),
                "user.name": [f"user{number % 4}" for number in numbers],
                "process.cmd_line": [f"tool --id {number * 7919}" for number in numbers],
            }
        ),
        raw=pa.nulls(ROWS, pa.binary()),
    )


@pytest.fixture(scope="module")
def keep(tmp_path_factory) -> Path:
    """A folder in which the sample day is made already."""
    folder = tmp_path_factory.mktemp("keep")
    home = folder / "sample"
    state = SqliteState(home / "state.sqlite")
    events = ParquetEvents(home / "merged", state)
    lanes = [Lane("windows", "process_creation", product="windows"), Lane("t", "b", product="t")]
    segment = events.write([day_of(lane, at) for at, lane in enumerate(lanes)])
    assert segment is not None
    with state.begin() as tx:
        events.publish(tx, segment)
    merge(home / "merged", state, [segment], own_file_rows=1)
    (home / "merged" / segment.path).unlink()
    (home / "complete").touch()
    events.close()
    state.close()
    return folder


@pytest.fixture(scope="module")
def made(keep) -> Path:
    return bench_history.made_history(keep, 400, lambda _: None)


@pytest.fixture
def store(made):
    state = SqliteState(made / "state.sqlite")
    events = ParquetEvents(made / "events", state)
    yield events
    events.close()
    state.close()


def test_a_store_holds_what_was_asked_for_spread_over_a_month(store):
    assert store.count() == 400
    found = store.search(EventQuery(size=1_000)).events
    assert len({one.event_id for one in found}) == 400
    assert timedelta(days=26) < found[0].time - found[-1].time < timedelta(days=30)
    commands = {one.ocsf["process.cmd_line"] for one in found}
    assert len(commands) > 150
    assert {one.native["LogonType"] for one in found} == {"0", "1", "2"}
    assert store.search(EventQuery(bench_history.NEEDLE)).total == 1


def test_a_second_run_makes_nothing(keep, made):
    before = sorted(made.glob("events/*/*.parquet"))
    assert bench_history.made_history(keep, 400, pytest.fail) == made
    assert sorted(made.glob("events/*/*.parquet")) == before


def test_every_question_has_an_answer(store):
    asked = bench_search.questions(store)
    assert set(bench_search.BARS_MS) <= set(asked)
    for name, ask in asked.items():
        told = bench_search._told(bench_search._timed(ask, 2))
        assert told["median_ms"] > 0, name
    assert bench_search._together(asked["top values"], 4) > 0


def test_each_of_ten_people_asks_everything_in_an_order_of_their_own(monkeypatch):
    asked = []
    monkeypatch.setattr(bench_search, "_LOOK_S", (0.0, 0.001))

    def asking(name):
        return lambda number: asked.append((number, name))

    names = ["a", "b", "c", "d"]
    times = bench_search._people({name: asking(name) for name in names}, 2, 3)
    assert {name: len(found) for name, found in times.items()} == dict.fromkeys(names, 30)
    assert sorted(asked) == [(number, name) for number in range(30) for name in names]
    orders = {tuple(name for number, name in asked if number == person) for person in range(PEOPLE)}
    assert len(orders) > 2


@pytest.mark.skipif(find_spec("chdb") is None, reason="ClickHouse's engine is not installed")
def test_clickhouse_is_filled_once_and_asked_the_same(made):
    """In a process of its own: one has one such engine."""
    command = [sys.executable, "-c", ASKED_OF_BOTH, str(made)]
    ran = subprocess.run(  # noqa: S603 - this interpreter, words of our own
        command, check=True, capture_output=True, text=True, timeout=300
    )
    told, answers = json.loads(ran.stdout)
    assert told == [400]
    assert set(answers) >= set(bench_search.BARS_MS)
    for name, (embedded, clickhouse) in answers.items():
        assert embedded == clickhouse, name


def test_it_is_said_when_clickhouse_is_not_there(made, monkeypatch):
    monkeypatch.setattr(bench_search, "is_clickhouse_here", lambda: False)
    told = {"latest 100": {"median_ms": 1.0}}
    said = bench_search._of_clickhouse(made, told, 1, lambda *_: None)
    assert "not installed" in said
    assert told == {"latest 100": {"median_ms": 1.0}}
