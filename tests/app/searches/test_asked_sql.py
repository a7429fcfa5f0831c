"""SQL is answered in a process of its own, which what is hostile takes down and nothing else."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.store.conftest import NOON, _make_batch
from tocsin.app.searches.asked_sql import (
    AskedFirstRows,
    AskedPlan,
    AskedSql,
    SqlAnswer,
    SqlProgress,
    answer_sql,
    plan_sql,
)
from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.search_process import SearchProcesses
from tocsin.app.searches.sql_export import AskedSqlExport, begin_sql_export
from tocsin.app.searches.sql_types import arrow_type
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
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


STATEMENT = """select native.n::int as n, native.n::int as n, native, sum(1) over () as all_of_them,
    time, '=1' as formula, null as nothing, [1, 2] as list, 1.5::decimal(4, 1) as part
    from events order by time"""


def exported(processes: SearchProcesses, statement: str, how: ExportFormat) -> bytes:
    begun = begin_sql_export(processes, AskedSqlExport(statement, how, EVERYTHING), StopSignal(300))
    assert begun.problems == ()
    return b"".join(begun.pieces)


def test_every_row_is_written_as_any_kind_of_file(processes: SearchProcesses) -> None:
    lines = exported(processes, STATEMENT, ExportFormat.NDJSON).splitlines()
    assert len(lines) == 10
    first = orjson.loads(lines[0])
    assert (first["n"], first["n_2"], first["native"], first["list"]) == (0, 0, {"n": 0}, [1, 2])
    table = exported(processes, STATEMENT, ExportFormat.CSV).decode().splitlines()
    assert table[0].startswith("n,n_2,native,all_of_them,time,formula")
    assert ",10," in table[1]
    assert "'=1" in table[1]
    packed = pq.read_table(io.BytesIO(exported(processes, STATEMENT, ExportFormat.PARQUET)))
    assert packed.num_rows == 10
    assert packed.schema.field("all_of_them").type == pa.decimal128(38, 0)
    assert packed.schema.field("time").type == pa.timestamp("us", "UTC")
    assert packed.column("native")[0].as_py() == '{"n":0}'
    assert str(packed.column("part")[0]) == "1.5"


def test_what_the_engine_refuses_says_where_it_is_written(processes: SearchProcesses) -> None:
    statement = "select source, -- usr is not this\n lane, usr from events"
    with pytest.raises(QueryError, match="usr") as caught:
        ask(processes, statement)
    assert caught.value.at == statement.rindex("usr")


@pytest.mark.parametrize(("size", "told"), [(3, True), (10, False), (11, False)])
def test_the_first_rows_of_a_job_tell_whether_there_are_more(
    processes: SearchProcesses, size: int, told: bool
) -> None:
    asked = AskedFirstRows("select native.n from events", size, EVERYTHING)
    told_parts = [
        one for one in processes.parts(asked, StopSignal(300)) if not isinstance(one, SqlProgress)
    ]
    head, *parts = told_parts
    assert (head.columns, head.types, head.problems) == (["n"], ["VARIANT"], ())
    assert sum(len(orjson.loads(one.packed)) for one in parts) == min(size, 10)
    assert any(one.has_more for one in parts) is told


def test_a_statement_that_takes_long_tells_how_far_it_is(processes: SearchProcesses) -> None:
    stop = StopSignal(300)
    endless = "select count(*) from range(1000000000000) a"
    parts = processes.parts(AskedFirstRows(endless, 1, EVERYTHING), stop)
    first = next(parts)
    stop.stop("that is enough")
    with pytest.raises(QueryStopped, match="that is enough"):
        list(parts)
    assert isinstance(first, SqlProgress)
    assert 0 < first.share < 1


def test_an_answer_without_rows_is_a_file_too(processes: SearchProcesses) -> None:
    nothing = "select time, native from events where false"
    assert exported(processes, nothing, ExportFormat.CSV) == b"time,native\r\n"
    assert exported(processes, nothing, ExportFormat.NDJSON) == b""
    packed = pq.read_table(io.BytesIO(exported(processes, nothing, ExportFormat.PARQUET)))
    assert (packed.num_rows, packed.column_names) == (0, ["time", "native"])
    with pytest.raises(QueryError, match="only reading"):
        exported(processes, "drop table events", ExportFormat.CSV)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Nullable(UInt64)", pa.uint64()),
        ("LowCardinality(Nullable(String))", pa.string()),
        ("DateTime64(6, 'UTC')", pa.timestamp("us", "UTC")),
        ("HUGEINT", pa.decimal128(38, 0)),
        ("DECIMAL(10,2)", pa.decimal128(10, 2)),
        ("Decimal(76, 2)", None),
        ("INTEGER[]", None),
        ("VARIANT", None),
        ("Array(String)", None),
    ],
)
def test_types_of_either_engine_are_known(name: str, kind: pa.DataType | None) -> None:
    assert arrow_type(name) == kind
