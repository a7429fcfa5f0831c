"""Gives every row of an SQL statement as a file, made in a process of its own."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.app.plain import as_json
from tocsin.app.searches.event_export import ExportFormat, Sink, cell, harmless, pieces
from tocsin.app.searches.exports import Export
from tocsin.app.searches.search_process import SearchProcesses
from tocsin.app.searches.search_worker import Send
from tocsin.app.searches.sql_types import arrow_type
from tocsin.store.ports import EventStore, StoreError
from tocsin.store.query import EventQuery
from tocsin.store.sql_rows import SqlStream
from tocsin.store.stop_signal import StopSignal

Rows = list[tuple[Any, ...]]
_GROUP_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class AskedSqlExport:
    """All rows of a statement over the events of ``within``, written as ``how``."""

    statement: str
    how: ExportFormat
    within: EventQuery

    def run(self, events: EventStore, send: Send) -> None:
        """Sends what of the store is missing, then the file in pieces."""
        with events.sql_stream(self.statement, self.within, StopSignal()) as stream:
            send(stream.problems)
            for piece in rows_written(stream, self.how):
                send(piece)


def begin_sql_export(processes: SearchProcesses, asked: AskedSqlExport, stop: StopSignal) -> Export:
    """Begin; raises what is wrong with the statement before a byte is given.

    How many rows there will be is not known (0).
    """
    parts = processes.parts(asked, stop)
    return Export(0, next(parts), parts)


def rows_written(stream: SqlStream, how: ExportFormat) -> Iterator[bytes]:
    """The bytes of the file; of columns that are called the same, the later ones are numbered."""
    names = _distinct(stream.columns)
    match how:
        case ExportFormat.CSV:
            return pieces(_csv(names, stream.chunks))
        case ExportFormat.NDJSON:
            return pieces(_lines(names, stream.chunks))
        case ExportFormat.PARQUET:
            return _parquet(names, stream)


def _distinct(names: Sequence[str]) -> list[str]:
    told: list[str] = []
    for name in names:
        number = 2
        fresh = name
        while fresh in told:
            fresh = f"{name}_{number}"
            number += 1
        told.append(fresh)
    return told


def _csv(names: Sequence[str], chunks: Iterable[Rows]) -> Iterator[bytes]:
    yield _csv_lines([tuple(map(harmless, names))])
    for chunk in chunks:
        yield _csv_lines([tuple(harmless(cell(value)) for value in row) for row in chunk])


def _csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _lines(names: Sequence[str], chunks: Iterable[Rows]) -> Iterator[bytes]:
    for chunk in chunks:
        for row in chunk:
            told = as_json(dict(zip(names, row, strict=True)))
            yield orjson.dumps(told, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _parquet(names: Sequence[str], stream: SqlStream) -> Iterator[bytes]:
    kinds = [arrow_type(name) for name in stream.types]
    schema = pa.schema(
        [(name, kind or pa.string()) for name, kind in zip(names, kinds, strict=True)]
    )
    sink = Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for rows in _groups(stream.chunks):
            columns = zip(*rows, strict=True)
            try:
                arrays = [_array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
            except (pa.ArrowException, OverflowError) as error:
                raise StoreError(
                    f"a value does not fit the type of its column ({error}): cast it in the "
                    "statement, or take CSV or NDJSON"
                ) from error
            writer.write_table(pa.table(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


def _array(values: Sequence[Any], kind: pa.DataType | None) -> pa.Array:
    if kind is None:
        texts = [
            None if one is None else orjson.dumps(as_json(one), default=str).decode()
            for one in values
        ]
        return pa.array(texts, pa.string())
    if pa.types.is_string(kind):
        return pa.array([None if one is None else str(one) for one in values], kind)
    return pa.array(values, kind)


def _groups(chunks: Iterable[Rows]) -> Iterator[Rows]:
    gathered: Rows = []
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _GROUP_ROWS:
            yield gathered
            gathered = []
    if gathered:
        yield gathered
