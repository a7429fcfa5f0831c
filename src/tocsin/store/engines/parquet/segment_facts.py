"""What is known of a segment's events without opening it: values, fields, events a minute."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.parquet.event_queries import MINUTE_US
from tocsin.store.engines.parquet.segment_parts import METADATA, TYPED, VALUE, typed_of
from tocsin.store.engines.variant.variant_decoding import field_names
from tocsin.store.engines.variant.variant_shredding import Array
from tocsin.store.fields import unmarked
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS

MOST_VALUES = 1_000
"""Distinct values of a column that are kept; of a column with more only that it has some."""
_MOST_TEXT = 64_000
RAW = "raw"
_VARIANTS = ("ocsf", "native")
_ENVELOPE = tuple(
    name for name, kind in ENVELOPE.items() if kind == "VARCHAR" and name != "event_id"
)
_COUNTED = (*_ENVELOPE, *(column.name for column in HOT_COLUMNS))
_QUICK = 1
"""The level of compression for facts that somebody waits for."""
Numbers = npt.NDArray[np.int64]
_ZERO = np.zeros(1, np.int64)


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
        told["minutes"] = tuple(np.array(one, np.int64) for one in told["minutes"])
        return told

    @cached_property
    def rows(self) -> int:
        return int(self.minutes[2].sum())

    @property
    def held_bytes(self) -> int | None:
        """What the events take in memory; None: written by an earlier build."""
        held: int | None = self._told.get("held")
        return held

    @cached_property
    def columns(self) -> dict[str, ColumnFacts | None]:
        """By column: what is known; None: it is null in every event. Others are not told of."""
        return {
            name: None if one is None else ColumnFacts(one[0], one[1] and dict(one[1]))
            for name, one in self._told["columns"].items()
        }

    @cached_property
    def _fields(self) -> dict[str, tuple[frozenset[str], frozenset[str]] | None]:
        told = self._told["fields"]
        return {
            name: None if one is None else (frozenset(one[0]), frozenset(one[1]))
            for name, one in told.items()
        }

    def may_have(self, variant: str, keys: Sequence[str]) -> bool:
        """False when no event has the field at ``keys`` in that column.

        Facts of earlier builds tell paths without their case and marks.
        """
        known = self._fields.get(variant)
        if known is None:
            return True
        paths, encoded = known
        is_exact = self._told.get("exact", False)
        path = ".".join(keys if is_exact else map(_folded, keys))
        return path in paths or _folded(keys[-1]) in encoded

    def is_object(self, variant: str, keys: Sequence[str]) -> bool:
        """True when what lies at ``keys`` is an object wherever it is: its text begins with {."""
        known = self._fields.get(variant)
        is_typed = ".".join(keys) in self._objects.get(variant, ())
        return is_typed and known is not None and _folded(keys[-1]) not in known[1]

    @cached_property
    def _objects(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(paths) for name, paths in self._told.get("objects", {}).items()}

    @cached_property
    def minutes(self) -> tuple[Numbers, Numbers, Numbers]:
        """Minutes since 1970 (ascending), severity ids (0 for none), events."""
        at, severity, events = self._told["minutes"]
        return np.cumsum(at), severity, events

    @cached_property
    def minutes_of(self) -> dict[int, tuple[Numbers, Numbers]]:
        """By severity id: its minutes, and how many of its events are before each and in all."""
        minutes, severities, events = self.minutes
        known: dict[int, tuple[Numbers, Numbers]] = {}
        for severity in np.unique(severities).tolist():
            is_it = severities == severity
            known[severity] = minutes[is_it], np.concatenate([_ZERO, np.cumsum(events[is_it])])
        return known


def facts_of(table: pa.Table) -> bytes:
    """What is known of the events of a segment's table (in storage layout), packed."""
    return zlib.compress(_told(table, _COUNTED))


def early_facts_of(table: pa.Table) -> bytes:
    """The same without the values of hot columns, of which it says only which nobody has."""
    return zlib.compress(_told(table, _ENVELOPE), _QUICK)


def _told(table: pa.Table, counted: Sequence[str]) -> bytes:
    stored = set(table.column_names)
    empty = (n for n in _COUNTED if n in stored and table[n].null_count == table.num_rows)
    told = {
        "columns": {
            **dict.fromkeys(empty),
            **{name: _column(table[name]) for name in counted},
            RAW: None if table[RAW].null_count == table.num_rows else (table[RAW].null_count, None),
        },
        "exact": True,
        "fields": {name: _fields(table[name]) for name in _VARIANTS},
        "objects": {name: _object_paths(table[name]) for name in _VARIANTS},
        "minutes": _minutes(table),
        "held": table.nbytes,
    }
    return orjson.dumps(told)


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


def _fields(column: pa.ChunkedArray) -> list[list[str]] | None:
    """Paths of fields down to lists, and every name that is in something encoded; None: unknown."""
    paths: set[str] = set()
    encoded: set[str] = set()
    for chunk in column.chunks:
        for metadata in pc.unique(chunk.field(METADATA)).to_pylist():
            encoded |= {_folded(name) for name in field_names(metadata)} if metadata else set()
        typed = typed_of(chunk)
        if typed is not None and not pa.types.is_struct(typed.type):
            return None
        if typed is not None:
            paths |= set(_paths(typed.type, ""))
    return [sorted(paths), sorted(encoded)]


def _paths(fields: pa.StructType, above: str) -> Iterator[str]:
    for field in fields:
        path = above + field.name
        yield path
        at = field.type.get_field_index(TYPED)
        if at >= 0 and pa.types.is_struct(field.type.field(at).type):
            yield from _paths(field.type.field(at).type, f"{path}.")


def _object_paths(column: pa.ChunkedArray) -> list[str]:
    objects: set[str] = set()
    others: set[str] = set()
    for chunk in column.chunks:
        typed = typed_of(chunk)
        if typed is not None and pa.types.is_struct(typed.type):
            for path, is_object in _nested(typed, ""):
                (objects if is_object else others).add(path)
    return sorted(objects - others)


def _nested(typed: Array, above: str) -> Iterator[tuple[str, bool]]:
    """Paths of fields that are typed as objects, and whether they are nothing else."""
    for at, field in enumerate(typed.type):
        inner = field.type.get_field_index(TYPED)
        if inner >= 0 and pa.types.is_struct(field.type.field(inner).type):
            path, child = above + field.name, typed.field(at)
            value = child.field(VALUE)
            yield path, value.null_count == len(value)
            yield from _nested(child.field(inner), f"{path}.")


def _folded(name: str) -> str:
    return unmarked(name).lower()


def _minutes(table: pa.Table) -> list[list[int]]:
    """Counted by Arrow: sorting pairs in NumPy would stop all other threads meanwhile."""
    moments = table["time"].cast(pa.int64()).to_numpy()
    severities = pc.fill_null(table["severity_id"], pa.scalar(0, pa.int32())).cast(pa.int64())
    keys = pa.table({"at": moments // MINUTE_US, "severity": severities})
    counted = keys.group_by(["at", "severity"]).aggregate([([], "count_all")])
    counted = counted.sort_by([("at", "ascending"), ("severity", "ascending")])
    at = np.diff(counted["at"].to_numpy(), prepend=0)
    return [at.tolist(), counted["severity"].to_pylist(), counted["count_all"].to_pylist()]
