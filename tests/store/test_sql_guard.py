"""The guard lets reading through and names what it refuses, before anything is run."""

from datetime import UTC, datetime

import pytest

from tocsin.store.ports import QueryError
from tocsin.store.sql_guard import checked
from tocsin.store.sql_places import place_told
from tocsin.store.sql_words import FUNCTIONS, TABLE_FUNCTIONS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

READING = "only reading is allowed"
NOT_A_FUNCTION = "is not among those that may be used"
NO_TABLE = "the only table is events"

HOSTILE = {
    "writes": {
        "create or replace view events as select 1": READING,
        "alter table events add column x int": READING,
        "merge into events using events e on true when matched then delete": READING,
        "with x as (update events set user_name = 'x' returning 1) select * from x": READING,
        "select * from events for update": READING,
        "comment on table events is 'x'": READING,
    },
    "files": {
        "select * from 'events.parquet'": NO_TABLE,
        "select * from '/proc/self/environ'": NO_TABLE,
        'from "s3://bucket/x.parquet"': NO_TABLE,
        "select * from read_json_auto('/etc/passwd')": NO_TABLE,
        "select * from read_blob('/etc/shadow')": NO_TABLE,
        "select * from parquet_metadata('x.parquet')": NO_TABLE,
        "select * from sniff_csv('x.csv')": NO_TABLE,
        "select * from events where (select max(content) from read_text('x')) = 'y'": NO_TABLE,
        "select unnest(glob('/home/*'))": "",
        "copy (select * from events) to '/tmp/x' (format csv)": READING,
        "export database '/tmp/x'": "",
    },
    "network and extensions": {
        "select * from 'https://evil.example/x.csv'": NO_TABLE,
        "install httpfs": READING,
        "load 'x.duckdb_extension'": READING,
        "select * from postgres_scan('host=x', 'public', 't')": NO_TABLE,
        "select * from sqlite_scan('state.sqlite', 'users')": NO_TABLE,
        "select http_get('https://evil.example')": NOT_A_FUNCTION,
        "attach 'https://evil.example/x.db'": READING,
    },
    "settings and secrets": {
        "pragma enable_profiling": READING,
        "set memory_limit = '100GB'": READING,
        "set variable x = 1": READING,
        "select getenv('HOME')": NOT_A_FUNCTION,
        "select current_setting('secret_directory')": NOT_A_FUNCTION,
        "select * from duckdb_secrets()": NO_TABLE,
        "select * from pragma_database_list": NO_TABLE,
        "select * from system.information_schema.tables": NO_TABLE,
        "create secret (type s3)": "can't be read",
        "select * from duckdb_logs": NO_TABLE,
        "call enable_logging()": READING,
    },
    "ways around": {
        "select 1; drop table events": "exactly one statement",
        "select 1;;; select 2": "exactly one statement",
        "select 1 /* ; */; -- x\nselect 2": "exactly one statement",
        "select query('select 1')": NOT_A_FUNCTION,
        "select * from query_table(['events'])": NO_TABLE,
        "execute x": READING,
        "select \"GETENV\"('HOME')": NOT_A_FUNCTION,
        "select main.getenv('HOME')": NOT_A_FUNCTION,
        "select ('HOME').getenv()": NOT_A_FUNCTION,
        "select list_transform(['HOME'], lambda x: getenv(x))": NOT_A_FUNCTION,
        "with getenv as (select 1) select getenv('HOME')": "within its SELECT",
        "select write_log('x')": NOT_A_FUNCTION,
        "select nextval('x')": NOT_A_FUNCTION,
        "select pg_sleep(100)": NOT_A_FUNCTION,
        "select * from events at (version => 1)": "",
        "select $x": READING,
        "explain analyze select 1": READING,
    },
    "too much": {
        "select " + "(" * 3000 + "1" + ")" * 3000: "",
        "select " + "not " * 4000 + "true": "",
        "select " + "[" * 4000 + "]" * 4000: "",
        "select '" + "x" * 30_000 + "'": "longer than 20,000",
    },
}


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        pytest.param(statement, reason, id=f"{kind}-{number}")
        for kind, statements in HOSTILE.items()
        for number, (statement, reason) in enumerate(statements.items(), 1)
    ],
)
def test_what_does_more_than_read_is_refused(statement: str, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        checked(statement, NOW)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "word",
    [
        "read",
        "write",
        "file",
        "glob",
        "env",
        "setting",
        "secret",
        "query",
        "pragma",
        "http",
        "log(",
    ],
)
def test_no_function_that_may_be_used_sounds_like_reaching_out(word: str) -> None:
    takes_paths_apart = {"parse_path", "parse_filename", "parse_dirname"}
    found = {name for name in FUNCTIONS | TABLE_FUNCTIONS if word in name}
    assert found <= takes_paths_apart


def test_the_moment_is_filled_in() -> None:
    assert "2026-03-01 12:00:00" in checked("select now(), current_timestamp", NOW)
    assert "2026-03-01" in checked("select current_date", NOW)


@pytest.mark.parametrize(
    ("statement", "at", "told"),
    [
        ("SELECT a, count(* FROM events", 18, ") is expected"),
        ("SELECT a b c FROM events", 11, "can't stand here"),
        ("SELECT a\nFROM evnts e", 14, "no table evnts;"),
        ("SELECT 'abc FROM events", 7, "not closed"),
        ("SELECT /* lenght */ 1, lenght(a) FROM events", 23, "did you mean"),
        ("SELECT 1; SELECT 2", 10, "exactly one"),
        ("drop table events", 0, "only reading"),
        ("SELECT a FROM read_csv('x')", 14, "read_csv can't be read from"),
        ("SELECT * FROM events WHERE", 21, "missing here"),
    ],
)
def test_what_is_refused_says_where_it_is_written(statement: str, at: int, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        checked(statement)
    assert caught.value.at == at
    assert told in str(caught.value)


def test_what_an_engine_points_at_is_found_in_what_was_written() -> None:
    written = "select -- user\n  user_name, usr, Usr from events"
    run = "SELECT user_name, usr, Usr FROM events WHERE TRUE"
    complaint = (
        'Binder Error: no "usr"\n\nLINE 1: ...user_name, usr, Usr FROM ...\n' + " " * 27 + "^^^"
    )
    assert place_told(written, run, complaint) == written.index("Usr")
    assert place_told(written, run, "Binder Error: something else") is None
    assert place_told(written, run, "Error\n\nLINE 1: nowhere\n        ^") is None
