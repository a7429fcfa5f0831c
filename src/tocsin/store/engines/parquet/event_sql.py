"""Read-only SQL over the view ``events``, for what the filter bar can't say."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import duckdb
from duckdb import DuckDBPyConnection
from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.event_rows import plain_value
from tocsin.store.engines.parquet.event_search import EventSearch, candidates
from tocsin.store.engines.parquet.event_streaming import held
from tocsin.store.engines.parquet.query_progress import progress_told
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.engines.parquet.segment_table import events_in
from tocsin.store.engines.state import manifest
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.lucene import compile_filter
from tocsin.store.ports import QueryError, StoreError
from tocsin.store.query import EventQuery
from tocsin.store.sql_guard import VIEW, checked
from tocsin.store.sql_places import place_told
from tocsin.store.sql_plan import PlanStep, SqlPlan
from tocsin.store.sql_rows import SqlRows, SqlStream
from tocsin.store.stop_signal import StopSignal

_MOST_BYTES = 64 * 1024**2
_CHUNK_ROWS = 256
_STREAMED_ROWS = 2048
_Told = TypeVar("_Told")


class EventSql:
    """Answers statements; what is damaged is left out, and told with the rows."""

    def __init__(self, search: EventSearch, reader: DuckDbReader) -> None:
        self._search = search
        self._reader = reader

    def run(
        self, statement: str, size: int, within: EventQuery, stop: StopSignal | None = None
    ) -> SqlRows:
        """Column names and at most ``size`` rows over the events of ``within``."""
        allowed = checked(statement)

        def rows(cursor: DuckDBPyConnection) -> SqlRows:
            cursor.execute(allowed)
            names = [column[0] for column in cursor.description or []]
            return SqlRows(names, _rows(cursor, size))

        told, looked = self._asked(rows, (statement, allowed), within, stop)
        return told._replace(problems=tuple(looked.problems))

    @contextmanager
    def stream(
        self,
        statement: str,
        within: EventQuery,
        stop: StopSignal | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Iterator[SqlStream]:
        """All rows; the files the view is over stay as they are until the block ends."""
        allowed = checked(statement)
        found = compile_filter(within.text, self._search.catalogue())
        where = build.condition(within, found)
        with ExitStack() as stack:

            def begin(scan: Scan) -> SqlStream:
                while True:
                    try:
                        with ExitStack() as tried:
                            whole = scan.at_hand(scan.segments)
                            paths = tried.enter_context(held(scan.folder, scan, whole))
                            cursor = tried.enter_context(self._reader.cursor(stop))
                            cursor.execute(_view(paths, where))
                            if tell is not None:
                                tried.enter_context(progress_told(cursor, tell))
                            cursor.execute(allowed)
                            told = cursor.description or []
                            chunks = _chunks(cursor, cursor.fetchmany(_STREAMED_ROWS))
                            stack.enter_context(tried.pop_all())
                            names, types = ([str(one[at]) for one in told] for at in (0, 1))
                            return SqlStream(names, types, chunks, tuple(scan.problems))
                    except duckdb.Error as error:
                        _judge(scan, error, statement, allowed)

            yield self._search.answer(begin, lambda tx: candidates(tx, within, found), stop)

    def explain(self, statement: str, within: EventQuery) -> SqlPlan:
        """What running it would do."""
        allowed = f"EXPLAIN (FORMAT JSON) {checked(statement)}"

        def plan(cursor: DuckDBPyConnection) -> list[PlanStep]:
            ((_, text),) = cursor.execute(allowed).fetchall()
            return [step for root in json.loads(text) for step in _steps(root, 0)]

        steps, looked = self._asked(plan, (statement, allowed), within, None)
        searched = looked.segments
        everything = self._search.answer(
            lambda scan: scan.segments, lambda tx: manifest.between(tx, None, None)
        )
        return SqlPlan(
            steps=tuple(steps),
            segments=len(searched),
            segments_total=len(everything),
            rows=sum(one.rows for one in searched),
            rows_total=sum(one.rows for one in everything),
        )

    def _asked(
        self,
        ask: Callable[[DuckDBPyConnection], _Told],
        told: tuple[str, str],
        within: EventQuery,
        stop: StopSignal | None,
    ) -> tuple[_Told, Scan]:
        """What ``ask`` tells of a connection that has the view, and what the view is over.

        ``ask`` is asked again when something it read turned out to be damaged. ``told``: the
        statement as it was written, and as it is run.
        """
        statement, allowed = told
        found = compile_filter(within.text, self._search.catalogue())
        where = build.condition(within, found)

        def answer(scan: Scan) -> tuple[_Told, Scan]:
            while True:
                try:
                    with self._reader.cursor(stop) as cursor:
                        cursor.execute(_view(scan.files(), where))
                        return ask(cursor), scan
                except duckdb.Error as error:
                    _judge(scan, error, statement, allowed)

        return self._search.answer(answer, lambda tx: candidates(tx, within, found), stop)


def _judge(scan: Scan, error: duckdb.Error, statement: str, run: str) -> None:
    """Sets aside what is damaged, so that one asks again; raises QueryError for the statement."""
    if isinstance(error, duckdb.OutOfMemoryException):
        raise QueryError(
            "the statement needs more memory than it may have: group by less, sort less, join on "
            "more, or narrow the time range"
        ) from error
    is_about_it = isinstance(error, duckdb.ProgrammingError)
    if is_about_it and not isinstance(error, duckdb.InvalidInputException):
        at = place_told(statement, run, str(error))
        raise QueryError(f"the statement can't be run: {_reason(error)}", at) from error
    scan.set_aside(error)


def _chunks(
    cursor: DuckDBPyConnection, first: list[tuple[Any, ...]]
) -> Iterator[list[tuple[Any, ...]]]:
    chunk = first
    while chunk:
        yield [tuple(plain_value(value) for value in row) for row in chunk]
        try:
            chunk = cursor.fetchmany(_STREAMED_ROWS)
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise StoreError(
                f"the answer broke off ({_reason(error)}): what came so far is not all"
            ) from error


def _rows(cursor: DuckDBPyConnection, size: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    weight = 0
    while len(rows) < size:
        chunk = cursor.fetchmany(min(_CHUNK_ROWS, size - len(rows)))
        if not chunk:
            break
        rows += [tuple(plain_value(value) for value in row) for row in chunk]
        weight += sum(_weight(row) for row in chunk)
        if weight > _MOST_BYTES:
            raise QueryError(
                f"the answer is larger than {_MOST_BYTES >> 20} MB by row {len(rows):,}: ask for "
                "fewer columns, shorter texts or fewer rows"
            )
    return rows


def _weight(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _weight(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return 8 + sum(map(_weight, value))
    return 8


def _steps(node: dict[str, Any], depth: int) -> Iterator[PlanStep]:
    """The operators of a plan, each before those it takes its rows from."""
    extra = node.get("extra_info") or {}
    rows = str(extra.pop("Estimated Cardinality", ""))
    facts = tuple(
        (name, text[:300])
        for name, value in extra.items()
        if name not in ("Filename(s)", "Filenames", "Function")
        and (text := ", ".join(value) if isinstance(value, list) else str(value))
    )
    name = str(node.get("name", "")).strip().replace("_", " ").lower()
    yield PlanStep(depth, name, int(rows) if rows.isdecimal() else None, facts)
    for child in node.get("children", ()):
        yield from _steps(child, depth + 1)


def _view(paths: list[str], where: exp.Expr) -> str:
    view = exp.Create(this=exp.to_table(VIEW), kind="VIEW", expression=_events(paths, where))
    view.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    return view.sql("duckdb")


def _events(paths: list[str], where: exp.Expr) -> exp.Select:
    kinds = {**ENVELOPE, **{column.name: column.type for column in HOT_COLUMNS}}
    kinds |= {"ocsf": "VARIANT", "native": "VARIANT", "raw": "BLOB"}
    if paths:
        columns = [exp.column(name, quoted=True) for name in kinds]
        return exp.select(*columns).from_(events_in(paths)).where(where)
    nothing = [
        exp.alias_(
            exp.Cast(this=exp.null(), to=exp.DataType.build(kind, dialect="duckdb")),
            name,
            quoted=True,
        )
        for name, kind in kinds.items()
    ]
    return exp.select(*nothing).where(exp.false())


def _reason(error: duckdb.Error) -> str:
    return str(error).partition("\n\n")[0].replace("\n", " ")
