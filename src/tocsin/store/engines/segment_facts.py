"""What is known of a segment's events without opening it: values, fields, events a minute."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.segment_parts import VALUE, typed_of
from tocsin.store.fields import unmarked
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

MINUTE_US = 60_000_000
MOST_VALUES = 1_000
"""Distinct values of a column that are kept; of a column with more only that it has some."""
_MOST_TEXT = 64_000
_VARIANTS = ("ocsf", "native")
_COUNTED = (
    *(name for name, kind in ENVELOPE.items() if kind == "VARCHAR" and name != "event_id"),
    *(column.name for column in HOT_COLUMNS),
)
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """``counts`` says how many events have each value; None: too many values to keep."""

    nulls: int
    counts: Mapping[Any, int] | None


@dataclass(frozen=True)
class SegmentFacts:
    """Read from ``packed`` when first asked for: most searches need few of them."""

    packed: bytes

    @cached_property
    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = orjson.loads(zlib.decompress(self.packed))
        return told

    @cached_property
    def columns(self) -> dict[str, ColumnFacts | None]:
        """By column: what is known; None: it is null in every event. Others are not told of."""
        return {
            name: None if one is None else ColumnFacts(one[0], dict(one[1]) if one[1] else None)
            for name, one in self._told["columns"].items()
        }

    @cached_property
    def fields(self) -> dict[str, frozenset[str] | None]:
        """Top-level fields of ``native`` and ``ocsf``, folded; None: not known."""
        return {
            name: None if names is None else frozenset(names)
            for name, names in self._told["fields"].items()
        }

    @cached_property
    def minutes(self) -> tuple[Numbers, Numbers, Numbers]:
        """Minutes since 1970 (ascending), severity ids (0 for none), events."""
        at, severity, events = (np.array(one, np.int64) for one in self._told["minutes"])
        return np.cumsum(at), severity, events


def facts_of(table: pa.Table) -> SegmentFacts:
    """What is known of the events of a segment's table (in storage layout)."""
    told = {
        "columns": {name: _column(table[name]) for name in _COUNTED},
        "fields": {name: _fields(table[name]) for name in _VARIANTS},
        "minutes": _minutes(table),
    }
    return SegmentFacts(zlib.compress(orjson.dumps(told)))


def _column(column: pa.ChunkedArray) -> tuple[int, list[tuple[Any, int]] | None] | None:
    if column.null_count == len(column):
        return None
    kept: list[tuple[Any, int]] | None = None
    counted = pc.value_counts(column.combine_chunks())
    if len(counted) <= MOST_VALUES:
        pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
        kept = [(value, events) for value, events in pairs if value is not None]
        if sum(len(value) for value, _ in kept if isinstance(value, str)) > _MOST_TEXT:
            kept = None
    return column.null_count, kept


def _fields(column: pa.ChunkedArray) -> list[str] | None:
    names: set[str] = set()
    for chunk in column.chunks:
        value = chunk.field(VALUE)
        if value.null_count < len(value):
            return None
        typed = typed_of(chunk)
        if typed is not None and not pa.types.is_struct(typed.type):
            return None
        if typed is not None:
            names |= {unmarked(field.name).lower() for field in typed.type}
    return sorted(names)


def _minutes(table: pa.Table) -> list[list[int]]:
    moments = table["time"].cast(pa.int64()).to_numpy()
    severity = pc.fill_null(table["severity_id"], pa.scalar(0, pa.int32())).to_numpy()
    keys = np.stack([moments // MINUTE_US, severity.astype(np.int64)])
    found, events = np.unique(keys, axis=1, return_counts=True)
    at = np.diff(found[0], prepend=0)
    return [at.tolist(), found[1].tolist(), events.tolist()]
