"""A connection to ClickHouse: queries as trees, their limits, and errors said in the store's words."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    OperationalError,
    ProgrammingError,
)
from sqlglot import exp

from tocsin.store.ports import QueryError, StoreAway, StoreError
from tocsin.store.stop_signal import StopSignal

_TOO_LATE, _CANCELLED, _NO_MEMORY = 159, 394, 241
_UNRELIABLE = frozenset({_TOO_LATE, _CANCELLED})
_SETTINGS = {
    "prefer_column_name_to_alias": 1,  # as everywhere else
    "output_format_arrow_string_as_string": 0,  # texts may hold any bytes
    "async_insert": 0,  # writes are large already, and count only when they are on the disk
    "max_partitions_per_insert_block": 0,
    "input_format_try_infer_dates": 0,  # texts stay texts
    "input_format_try_infer_datetimes": 0,
    "mutations_sync": 2,
    "lightweight_deletes_sync": 2,
}


class ClickHouse:
    """One database on one server (or, with ``chdb://``, in this process); for many threads."""

    def __init__(self, address: str, database: str, *, memory_mb: int, timeout_s: float) -> None:
        self.place = address.rpartition("@")[2]
        self.database = database
        self._timeout_s = timeout_s
        settings = {
            **_SETTINGS,
            "max_memory_usage": memory_mb << 20,
            "max_execution_time": timeout_s,
        }
        with self._said():
            self._client = _client(address, settings)

    def select(
        self, query: exp.Expr, stop: StopSignal | None = None, **limits: Any
    ) -> list[dict[str, Any]]:
        """The rows of a tree in ClickHouse's words; texts come as bytes."""
        return self.table(query, stop, **limits).to_pylist()  # type: ignore[no-any-return]

    def table(self, query: exp.Expr, stop: StopSignal | None = None, **limits: Any) -> pa.Table:
        query_id = str(uuid.uuid4())
        if stop is not None:
            stop.check()
        with self._said(stop), self._stopping(stop, query_id):
            packed = self._client.raw_query(
                query.sql("clickhouse"), settings={**limits, "query_id": query_id}, fmt="Arrow"
            )
        with pa.ipc.open_file(packed) as file:
            return file.read_all()

    def tables(
        self, query: exp.Expr, rows: int, stop: StopSignal | None = None
    ) -> Iterator[pa.Table]:
        """The rows of a tree as they come, about so many at once; however long it takes."""
        query_id = str(uuid.uuid4())
        settings = {"max_block_size": rows, "max_execution_time": 0, "query_id": query_id}
        with (
            self._said(stop),
            self._stopping(stop, query_id),
            self._client.raw_stream(
                query.sql("clickhouse"), settings=settings, fmt="ArrowStream"
            ) as stream,
            pa.ipc.open_stream(stream) as parts,
        ):
            for part in parts:
                if stop is not None:
                    stop.check()
                yield pa.Table.from_batches([part])

    def rows(
        self, query: str, stop: StopSignal | None = None, **limits: Any
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows of a statement that was checked, as Python values."""
        query_id = str(uuid.uuid4())
        with self._said(stop), self._stopping(stop, query_id):
            found = self._client.query(
                query, settings={**limits, "query_id": query_id}, query_tz="UTC"
            )
            names = list(found.column_names)
            if not names:  # an engine in this process names no columns where there are no rows
                described = self._client.query(f"DESCRIBE ({query})")
                names = [row[0] for row in described.result_rows]
            return names, [tuple(row) for row in found.result_rows]

    @contextmanager
    def rows_as_they_come(
        self, query: str, stop: StopSignal | None = None, **limits: Any
    ) -> Iterator[tuple[list[tuple[str, str]], Iterator[list[tuple[Any, ...]]]]]:
        """Names with types, then the rows chunk by chunk; however long it takes."""
        query_id = str(uuid.uuid4())
        settings = {**limits, "max_execution_time": 0, "query_id": query_id}
        with self._said(stop):
            described = self._client.query(f"DESCRIBE ({query})", settings=limits).result_rows
        with (
            self._said(stop),
            self._stopping(stop, query_id),
            self._client.query_row_block_stream(query, settings=settings, query_tz="UTC") as stream,
        ):
            names = [(row[0], row[1]) for row in described]
            yield names, ([tuple(row) for row in block] for block in stream)

    def names(self, table: str, wanted: Mapping[str, Sequence[str]]) -> set[str]:
        """The names in a table of the database ``system`` where columns have one of some texts."""
        tests = [
            exp.column(name).isin(*(exp.Literal.string(value) for value in values))
            for name, values in wanted.items()
        ]
        query = exp.select("name").from_(exp.table_(table, db="system")).where(*tests)
        return {row["name"].decode() for row in self.select(query)}

    def insert(self, name: str, rows: pa.Table, token: str) -> None:
        """Write rows durably; the same ``token`` again writes nothing."""
        settings = {"insert_deduplication_token": token, "max_execution_time": 0}
        with self._said():
            self._client.insert_arrow(f"{self.database}.{name}", rows, settings=settings)

    def command(self, statement: str | exp.Expr, **settings: Any) -> None:
        text = statement if isinstance(statement, str) else statement.sql("clickhouse")
        with self._said():
            self._client.command(text, settings=settings)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _stopping(self, stop: StopSignal | None, query_id: str) -> Iterator[None]:
        if stop is None:
            yield
            return
        with stop.interrupting(lambda: self._kill(query_id)):
            yield

    def _kill(self, query_id: str) -> None:
        self._client.command("KILL QUERY WHERE query_id = {id:String}", parameters={"id": query_id})

    @contextmanager
    def _said(self, stop: StopSignal | None = None) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise StoreAway(
                f"ClickHouse at {self.place} can't be reached ({_first_line(error)}); check that "
                "it runs, its address and the network"
            ) from error
        except (DatabaseError, ProgrammingError) as error:
            if stop is not None:
                stop.check()
            raise self._about_query(error) from error
        except ClickHouseError as error:
            raise StoreError(f"ClickHouse at {self.place}: {_first_line(error)}") from error

    def _about_query(self, error: Any) -> StoreError:
        if error.code in _UNRELIABLE:
            return QueryError(
                f"the query took longer than {self._timeout_s:.0f} s and was stopped; "
                "narrow the time range or the filter"
            )
        if error.code == _NO_MEMORY:
            return QueryError("the query needs more memory than it may use; narrow it")
        return QueryError(f"the query can't be run: {_first_line(error)}")


def _client(address: str, settings: dict[str, Any]) -> Client:
    options: dict[str, Any] = {}
    if not address.startswith("chdb:"):
        settings = {**settings, "wait_end_of_query": 1}
        if address.startswith("clickhouses:"):
            options["interface"] = "https"
        options["autogenerate_session_id"] = False  # queries of many threads run side by side
    return clickhouse_connect.get_client(dsn=address, settings=settings, **options)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
