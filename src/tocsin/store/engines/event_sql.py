"""Read-only SQL over the view ``events``, for what the filter bar can't say."""

from typing import Any

import duckdb
from sqlglot import exp

from tocsin.store.engines import manifest
from tocsin.store.engines.duckdb_reader import DuckDbReader, parquet
from tocsin.store.engines.event_rows import plain_value
from tocsin.store.engines.event_search import EventSearch
from tocsin.store.engines.segment_scan import Scan
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import QueryError
from tocsin.store.sql_guard import VIEW, checked

Answer = tuple[list[str], list[tuple[Any, ...]]]


def run_sql(search: EventSearch, reader: DuckDbReader, statement: str, size: int) -> Answer:
    """Column names and at most ``size`` rows; a damaged segment is an error, not a gap."""
    allowed = checked(statement)

    def ask(scan: Scan) -> Answer:
        if scan.problems:
            raise QueryError("; ".join(scan.problems))
        try:
            return _run(reader, scan.files(), allowed, size)
        except duckdb.ProgrammingError as error:
            if not isinstance(error, duckdb.InvalidInputException):
                raise QueryError(f"the statement can't be run: {_reason(error)}") from error
            scan.set_aside(error)
        except duckdb.Error as error:
            scan.set_aside(error)
        raise QueryError("; ".join(scan.problems))

    return search.answer(ask, lambda tx: manifest.between(tx, None, None))


def _run(reader: DuckDbReader, paths: list[str], statement: str, size: int) -> Answer:
    view = exp.Create(this=exp.to_table(VIEW), kind="VIEW", expression=_events(paths))
    view.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
    with reader.cursor() as cursor:
        cursor.execute(view.sql("duckdb"))
        cursor.execute(statement)
        names = [column[0] for column in cursor.description or []]
        rows = cursor.fetchmany(size)
    return names, [tuple(plain_value(value) for value in row) for row in rows]


def _events(paths: list[str]) -> exp.Select:
    kinds = {**ENVELOPE, **{column.name: column.type for column in HOT_COLUMNS}}
    kinds |= {"ocsf": "VARIANT", "native": "VARIANT", "raw": "BLOB"}
    if paths:
        return exp.select(*(exp.column(name, quoted=True) for name in kinds)).from_(parquet(paths))
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
