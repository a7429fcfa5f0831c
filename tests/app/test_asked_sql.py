"""SQL is answered in a process of its own, which what is hostile takes down and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.conftest import NOON, _make_batch
from tocsin.app.asked_sql import AskedPlan, AskedSql, SqlAnswer, answer_sql, plan_sql
from tocsin.app.search_process import SearchProcesses
from tocsin.store.engines.parquet_events import ParquetEvents
from tocsin.store.engines.sqlite_state import SqliteState
from tocsin.store.ports import QueryError, QueryStopped
from tocsin.store.query import EVERYTHING, EventQuery
from tocsin.store.stop_signal import StopSignal


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchProcesses]:
    """One store for the module, which is only read: starting a process takes a second."""
    home: Path = tmp_path_factory.mktemp("sql")
    state = SqliteState(home / "state.sqlite")
    events = ParquetEvents(home / "events", state)
    for day in range(2):
        rows = [{"at": NOON + timedelta(days=day, seconds=n), "native": {"n": n}} for n in range(5)]
        segment = events.write([_make_batch(rows, position=day)])
        assert segment is not None
        with state.begin() as tx:
            events.publish(tx, segment)
    opened = SearchProcesses(home, most=1, memory_mb=256, wait_s=60)
    yield opened
    opened.close()
    events.close()
    state.close()


def ask(
    processes: SearchProcesses, statement: str, within: EventQuery = EVERYTHING, size: int = 100
) -> SqlAnswer:
    return answer_sql(processes, AskedSql(statement, size, within), StopSignal(300))


def test_rows_come_back_and_more_than_asked_for_is_told(processes: SearchProcesses) -> None:
    answer = ask(processes, "select native.n::int as n from events order by n", size=3)
    assert (answer.columns, answer.rows, answer.is_cut) == (["n"], [[0], [0], [1]], True)
    assert not ask(processes, "select count(*) from events", size=1).is_cut


def test_the_view_has_the_events_of_the_range_and_the_filter(processes: SearchProcesses) -> None:
    first_day = EventQuery(end=NOON + timedelta(days=1))
    assert ask(processes, "select count(*) from events", first_day).rows == [[5]]
    filtered = replace(first_day, text="native.n:>=3")
    assert ask(processes, "select count(*) from events", filtered).rows == [[2]]
    with pytest.raises(QueryError, match="unknown field"):
        ask(processes, "select 1", EventQuery("nope:1"))


def test_the_plan_tells_what_is_left_to_look_into(processes: SearchProcesses) -> None:
    asked = AskedPlan(
        "select lane, count(*) from events group by 1", EventQuery(end=NOON + timedelta(days=1))
    )
    plan = plan_sql(processes, asked, StopSignal(300))
    assert (plan.segments, plan.segments_total, plan.rows, plan.rows_total) == (1, 2, 5, 10)
    assert any("group" in step.name for step in plan.steps)
    assert any("parquet" in step.name for step in plan.steps)


@pytest.mark.parametrize(
    "statement",
    [
        "select len(range(2000000000))",
        "select len(repeat('x', 100000000000))",
        "select list(range) from range(10000000000)",
        "with recursive t as (select 'x' as n union all select n || n from t) select count(*) from t",
    ],
)
def test_what_needs_too_much_memory_is_told(processes: SearchProcesses, statement: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(processes, statement)
    assert not isinstance(caught.value, QueryStopped)


def test_what_never_ends_is_killed_and_the_next_is_answered(processes: SearchProcesses) -> None:
    ask(processes, "select 1")
    for statement in (
        "select levenshtein(repeat('ab', 300000), repeat('ba', 300000))",  # never interrupted
        "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t",
    ):
        asked = AskedSql(statement, 10, EVERYTHING)
        with pytest.raises(QueryStopped, match="took longer than"):
            answer_sql(processes, asked, StopSignal(0.3))
    assert ask(processes, "select 1").rows == [[1]]
