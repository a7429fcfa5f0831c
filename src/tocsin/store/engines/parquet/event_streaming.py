"""Streams every event of a query from segments that stay as they were when it began."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.event_queries import EVENT_ID, TIME, condition, micros, moment_of
from tocsin.store.engines.parquet.own_folder import own_folder
from tocsin.store.engines.parquet.page_reach import Hits
from tocsin.store.engines.parquet.segment_file import layout_of
from tocsin.store.engines.parquet.segment_scan import Scan, SegmentsChanged
from tocsin.store.engines.parquet.segment_table import events_in
from tocsin.store.engines.parquet.time_slices import slice_edges
from tocsin.store.event_stream import WHOLE_EVENT
from tocsin.store.fields import MARKS, FieldCatalogue
from tocsin.store.hot_columns import HOT_COLUMNS
from tocsin.store.lucene import Filter
from tocsin.store.ports import Segment, StoreError
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

_HELD = ".held"
_BATCH_ROWS = 4096
_SLICE_ROWS = 200_000
_ORDERED_BY = (TIME, EVENT_ID)
_MARKED = [f'\\u{ord(mark):04X}":' for mark in MARKS]


@contextmanager
def held(folder: Path, scan: Scan, segments: Sequence[Segment]) -> Iterator[list[str]]:
    """The files of ``segments``, which nobody takes away meanwhile: links of our own.

    Raises ``SegmentsChanged`` when one has gone already.
    """
    place = own_folder(folder / _HELD)
    try:
        paths = []
        for number, segment in enumerate(segments):
            path = place / f"{layout_of(segment.path)}-{number}.parquet"
            try:
                os.link(scan.path(segment), path)
            except FileNotFoundError:
                raise SegmentsChanged from None
            paths.append(str(path))
        yield paths
    finally:
        shutil.rmtree(place, ignore_errors=True)


def batches(
    reader: DuckDbReader,
    parts: Sequence[tuple[Hits, str]],
    selected: Sequence[exp.Expr],
    query: EventQuery,
    found: Filter,
    stop: StopSignal | None,
) -> Iterator[pa.RecordBatch]:
    """What is selected of the files' events, in the order the query asks for.

    Slice by slice of time, so that no more is sorted at once than memory holds.
    """
    if not parts:
        return
    order = [exp.Ordered(this=key.copy(), desc=not query.oldest_first) for key in _ORDERED_BY]
    for within, paths in _slices(parts, query):
        asked = exp.select(*(one.copy() for one in selected)).from_(events_in(paths))
        asked = asked.where(condition(within, found)).order_by(*(one.copy() for one in order))
        try:
            with reader.cursor(stop) as cursor:
                yield from cursor.sql(asked.sql("duckdb")).to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise StoreError(
                f"a segment can't be read to its end ({str(error).partition(chr(10))[0]}): what "
                "came so far is not all; check the disk and restore the segment from a backup"
            ) from error


def _slices(
    parts: Sequence[tuple[Hits, str]], query: EventQuery
) -> Iterator[tuple[EventQuery, list[str]]]:
    spans = [(micros(hit.first), micros(hit.last)) for hit, _ in parts]
    counted = [
        (first, last, hit.count) for (first, last), (hit, _) in zip(spans, parts, strict=True)
    ]
    cuts = [
        moment_of(cut)
        for cut in slice_edges(counted, _SLICE_ROWS)
        if (query.start is None or moment_of(cut) > query.start)
        and (query.end is None or moment_of(cut) < query.end)
    ]
    edges = list(pairwise([query.start, *cuts, query.end]))
    for start, end in edges if query.oldest_first else reversed(edges):
        paths = [
            path
            for hit, path in parts
            if (end is None or hit.first < end) and (start is None or hit.last >= start)
        ]
        if paths:
            yield replace(query, start=start, end=end), paths


def selection(catalogue: FieldCatalogue, columns: Sequence[str] | None) -> list[exp.Expr]:
    """What to select for ``columns`` (names as in a filter), or for whole events."""
    if columns is None:
        hot = [
            exp.alias_(exp.column(one.name, quoted=True), one.path, quoted=True)
            for one in HOT_COLUMNS
        ]
        return [*map(_envelope, WHOLE_EVENT), *hot]
    return [
        exp.alias_(_value(catalogue, name), name, quoted=True) for name in dict.fromkeys(columns)
    ]


def _envelope(name: str) -> exp.Expr:
    column = exp.column(name, quoted=True)
    if name not in ("ocsf", "native"):
        return column
    text: exp.Expr = exp.cast(exp.cast(column, "JSON"), "VARCHAR")
    for marked in _MARKED:
        told = [exp.Literal.string(marked), exp.Literal.string('":')]
        text = exp.Anonymous(this="replace", expressions=[text, *told])
    return exp.alias_(text, name, quoted=True)


def _value(catalogue: FieldCatalogue, name: str) -> exp.Expr:
    columns = catalogue.columns(name)
    if len(columns) == 1:
        return columns[0].value.copy()
    texts = [exp.cast(one.value.copy(), "VARCHAR") if one.is_list else one.text for one in columns]
    return exp.Coalesce(this=texts[0], expressions=texts[1:])
