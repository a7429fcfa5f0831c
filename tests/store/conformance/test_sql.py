"""SQL reads events and does nothing else."""

from datetime import UTC, datetime

import pytest

from tocsin.store.ports import QueryError


@pytest.fixture(scope="module")
def filled(open_events, make_batch):
    events, state = open_events()
    rows = [
        {"ocsf": {"user.name": "bob", "process.pid": n}, "native": {"n": n, "deep": {"k": [n]}}}
        for n in range(5)
    ]
    segment = events.write([make_batch(rows)])
    with state.begin() as tx:
        events.publish(tx, segment)
    return events


def test_columns_and_rows_come_back_plain(filled, noon):
    statement = (
        "SELECT time, user_name, native, native.deep.k AS k FROM events ORDER BY time LIMIT 1"
    )
    names, rows, _ = filled.sql(statement, 10)
    assert names == ["time", "user_name", "native", "k"]
    assert rows == [(noon, "bob", {"n": 0, "deep": {"k": [0]}}, [0])]


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("select count(*) from events", [(5,)]),
        ("SELECT user_name, sum(process_pid) FROM events GROUP BY ALL;", [("bob", 10)]),
        ("with x as (select * from events where process_pid > 2) select count(*) from x", [(2,)]),
        ("select count(*) from events where time < now()", [(5,)]),
        ("select count(*) filter (where process_pid = 1) from events", [(1,)]),
        ("select count(*) from events where native.n::int in (1, 2)", [(2,)]),
        ("select max(date_trunc('day', time)) from events", [(datetime(2026, 3, 1, tzinfo=UTC),)]),
        ("select 1 union all select 2 order by 1", [(1,), (2,)]),
        ("select process_pid from events qualify row_number() over (order by time) = 2", [(1,)]),
        ("from events select count(*)", [(5,)]),
        (
            "select a.process_pid from events a join events b using (event_id) where a.process_pid = 3",
            [(3,)],
        ),
        ("select list_filter([1, 2, 3], lambda x: x > 1)", [([2, 3],)]),
        ("select unnest([1, 2]) as n", [(1,), (2,)]),
        ("select count(*) from events -- a remark; really", [(5,)]),
        ("select 'read_text(''/etc/passwd'')'", [("read_text('/etc/passwd')",)]),
    ],
)
def test_reading_is_allowed(filled, statement, rows):
    assert filled.sql(statement, 10)[1] == rows


def test_every_row_comes_when_all_are_asked_for(filled):
    statement = """select a.process_pid as n from events a cross join events b
        cross join events c cross join events d cross join events e"""
    with filled.sql_stream(statement) as stream:
        assert (stream.columns, stream.problems) == (["n"], ())
        found = [row[0] for chunk in stream.chunks for row in chunk]
    assert sorted(found) == sorted([*range(5)] * 5**4)
    with filled.sql_stream("select native, time from events where process_pid = 99") as stream:
        assert stream.columns == ["native", "time"]
        assert list(stream.chunks) == []
    with pytest.raises(QueryError), filled.sql_stream("select nope from events"):
        pass
    with pytest.raises(QueryError), filled.sql_stream("drop table events"):
        pass


def test_no_more_rows_come_than_asked_for(filled):
    assert len(filled.sql("select * from events", 3)[1]) == 3


def test_an_empty_store_has_the_view_too(events):
    names, rows, _ = events.sql("select event_id, time, user_name, native from events", 10)
    assert names == ["event_id", "time", "user_name", "native"]
    assert rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "",
        ";",
        "select",
        "selec 1",
        "select 1; select 2",
        "select * from '/etc/passwd'",
        'select * from "/etc/passwd"',
        "select * from read_text('/etc/passwd')",
        "select * from read_parquet('*.parquet')",
        "select * from read_csv_auto('x')",
        "select * from glob('*')",
        "select * from events, read_blob('/etc/passwd')",
        "select (select content from read_text('/etc/passwd'))",
        "select * from query('select 1')",
        "select * from query_table('events')",
        "select * from duckdb_settings()",
        "select * from information_schema.tables",
        "select * from pg_catalog.pg_tables",
        "select * from sqlite_master",
        "select * from main.events",
        "select * from memory.main.events",
        "select getenv('HOME')",
        "select current_setting('memory_limit')",
        "select getvariable('x')",
        "select \"getvariable\"('x')",
        "select $1",
        "select ?",
        "copy events to '/tmp/x.csv'",
        "copy (select 1) to 'x'",
        "attach 'x.db'",
        "detach memory",
        "install httpfs",
        "load httpfs",
        "pragma database_list",
        "set threads = 1",
        "reset threads",
        "create table t as select 1",
        "create temp view v as select 1",
        "drop view events",
        "insert into events select 1",
        "update events set user_name = 'x'",
        "delete from events",
        "truncate events",
        "call pragma_version()",
        "explain select 1",
        "describe events",
        "show tables",
        "export database 'x'",
        "import database 'x'",
        "checkpoint",
        "vacuum",
        "begin",
        "with x as (delete from events returning 1) select * from x",
        "with x as (insert into events select 1 returning 1) select * from x",
        "select * into x from events",
        "prepare x as select 1",
        "use memory",
        "summarize events",
        "values (1)",
        "select * from events where user_name = (select content from read_text('/etc/passwd'))",
        "select unknown_function(1)",
        "select nope from events",
        "x" * 30_000,
        "select " + "(" * 2000 + "1" + ")" * 2000,
    ],
)
def test_all_else_is_refused_with_a_reason(filled, statement):
    with pytest.raises(QueryError) as caught:
        filled.sql(statement, 10)
    assert str(caught.value)


def test_a_column_that_is_not_there_is_named(filled):
    with pytest.raises(QueryError, match="nope"):
        filled.sql("select nope from events", 10)
