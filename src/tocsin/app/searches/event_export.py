"""Writes a stream of events as CSV, NDJSON or Parquet, piece by piece."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.app.plain import as_json
from tocsin.store.event_stream import WHOLE_EVENT

MAIN_COLUMNS = (
    *("time", "event_id", "source", "lane", "severity_id"),
    *("device.hostname", "user.name", "actor.user.name", "src_endpoint.ip", "dst_endpoint.ip"),
    *("process.cmd_line", "message"),
)
"""What a table of events has when nobody says which columns."""
_PIECE_BYTES = 256 * 1024
_GROUP_ROWS = 50_000
_GROUP_BYTES = 32 * 1024**2
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Also in full width."""


class ExportFormat(StrEnum):
    """How events are written."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return {
            ExportFormat.CSV: "text/csv; charset=utf-8",
            ExportFormat.NDJSON: "application/x-ndjson",
            ExportFormat.PARQUET: "application/vnd.apache.parquet",
        }[self]

    def columns(self, asked: Sequence[str]) -> tuple[str, ...] | None:
        """The columns to write; None: every field."""
        if asked:
            return tuple(dict.fromkeys(asked))
        return MAIN_COLUMNS if self is ExportFormat.CSV else None


def written(
    batches: Iterable[pa.RecordBatch], how: ExportFormat, columns: Sequence[str] | None
) -> Iterator[bytes]:
    """The bytes of the file, in pieces; ``columns`` None: whole events."""
    match how:
        case ExportFormat.CSV:
            return _csv(batches, columns or WHOLE_EVENT)
        case ExportFormat.NDJSON:
            return pieces(_lines(batches, is_whole=columns is None))
        case ExportFormat.PARQUET:
            return _parquet(batches)


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines joined to pieces worth sending."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


def _lines(batches: Iterable[pa.RecordBatch], *, is_whole: bool) -> Iterator[bytes]:
    for batch in batches:
        for row in _filled(batch).to_pylist():
            content = _whole(row) if is_whole else {name: _plain(row[name]) for name in row}
            yield orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _filled(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without columns in which nothing is."""
    kept = [
        name
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if column.null_count < len(batch)
    ]
    return batch.select(kept)


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """As the API gives an event: OCSF fields by their path, what is not there left out."""
    told = {name: _plain(row.pop(name, None)) for name in WHOLE_EVENT if name not in _TEXTS}
    rest, native = (row.pop(name, None) for name in _TEXTS)
    hot = {name: _plain(value) for name, value in row.items() if value is not None}
    ocsf = {**hot, **(orjson.loads(rest) if rest else {})}
    return {**told, "ocsf": ocsf, "native": orjson.Fragment(native or "{}")}


_TEXTS = ("ocsf", "native")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return as_json(value)


def _csv(batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(map(harmless, columns))
    for batch in batches:
        values = [[harmless(cell(one)) for one in column.to_pylist()] for column in batch.columns]
        writer.writerows(zip(*values, strict=True))
        if buffer.tell() >= _PIECE_BYTES:
            yield buffer.getvalue().encode("utf-8", "backslashreplace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "backslashreplace")


def cell(value: Any) -> object:
    """A value as it stands in a CSV; what has members is JSON there."""
    plain = _plain(value)
    return orjson.dumps(plain).decode() if isinstance(plain, list | dict) else plain


def harmless(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return value if _NUMBER.fullmatch(value) else f"'{value}"
    return value


class Sink(io.RawIOBase):
    """What is written is given on in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _parquet(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    sink = Sink()
    out = pa.PythonFile(sink, mode="w")
    writer: pq.ParquetWriter | None = None
    for table in _groups(batches):
        if writer is None:
            writer = pq.ParquetWriter(out, table.schema, compression="zstd")
        writer.write_table(table)
        yield sink.taken()
    if writer is None:
        writer = pq.ParquetWriter(out, pa.schema([("event_id", pa.string())]))
    writer.close()
    yield sink.taken()


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(_aware(batch))
        rows, size = sum(len(one) for one in gathered), sum(one.nbytes for one in gathered)
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered = []
    if gathered:
        yield pa.Table.from_batches(gathered)


def _aware(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Times in UTC, as readers of the file are to take them."""
    arrays = [
        column.cast(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
