"""Takes the table of a segment apart by lane, and leaves out what no event of a lane has."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.store.engines.variant.variant_shredding import Array, object_of, struct_of

VALUE, TYPED, METADATA = "value", "typed_value", "metadata"


@dataclass(frozen=True, slots=True)
class LanePart:
    """Neighboring events of one lane: the plain columns, and each VARIANT in storage layout."""

    lane: str
    plain: pa.Table
    variants: dict[str, Array]


def lane_parts(table: pa.Table, plain: pa.Schema, variants: tuple[str, ...]) -> Iterator[LanePart]:
    """Each run of events of the same lane, in order; nothing is copied.

    ``table`` need not have what is null in all rows: plain columns, whole VARIANTs, leaves.
    """
    lanes = table["lane"].combine_chunks().dictionary_encode()
    codes = lanes.indices.to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    ends = [*starts[1:].tolist(), len(codes)]
    even = _with_all(table, plain)
    unread = pa.nulls(table.num_rows, pa.binary())
    columns = {
        name: _whole(table[name]) if name in table.column_names else struct_of(unread, None)
        for name in variants
    }
    fields = {name: _Field.of(column, starts, unread) for name, column in columns.items()}
    for run, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        rows = end - start
        yield LanePart(
            lane=lanes.dictionary[int(codes[start])].as_py(),
            plain=even.slice(start, rows),
            variants={
                name: _with_metadata(
                    _child(columns[name], METADATA, unread).slice(start, rows),
                    fields[name].part(run, start, rows),
                )
                for name in variants
            },
        )


def whole_part(lane: str, table: pa.Table, plain: pa.Schema) -> LanePart:
    """A table with events of one lane only, in storage layout."""
    variants = {name: _whole(table[name]) for name in table.column_names if name not in plain.names}
    return LanePart(lane, table.select(plain.names), variants)


def _whole(column: pa.ChunkedArray) -> Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _with_all(table: pa.Table, plain: pa.Schema) -> pa.Table:
    absent = {kind: pa.nulls(table.num_rows, kind) for kind in set(plain.types)}
    there = set(table.column_names)
    columns = [
        table[one.name].cast(one.type) if one.name in there else absent[one.type] for one in plain
    ]
    return pa.Table.from_arrays(columns, schema=plain)


def _child(field: Array, name: str, unread: Array) -> Array:
    """Of a VARIANT or a field: its names or its encoded values; ``unread`` where it has none."""
    at = field.type.get_field_index(name)
    return field.field(at) if at >= 0 else unread


def _with_metadata(metadata: Array, field: Array) -> Array:
    """A VARIANT column in storage layout."""
    children = [metadata, *(field.field(at) for at in range(field.type.num_fields))]
    fields = [pa.field(METADATA, pa.binary()), *field.type]
    return pa.StructArray.from_arrays(children, fields=fields)


@dataclass(frozen=True, slots=True)
class _Field:
    """A shredded field of a whole table; ``valued`` and ``typed_in`` say in which runs it has any.

    Asked once for all runs: a wide table of many lanes has a thousand fields, few in each run.
    """

    value: Array
    typed: Array | None
    valued: Array
    typed_in: Array
    inner: "dict[str, _Field] | None"

    @classmethod
    def of(cls, field: Array, starts: Array, unread: Array) -> "_Field":
        value, typed = _child(field, VALUE, unread), typed_of(field)
        if typed is None:
            return cls(value, None, _has_any(value, starts), np.zeros(len(starts), bool), None)
        inner = None
        if pa.types.is_struct(typed.type):
            inner = {
                one.name: cls.of(typed.field(at), starts, unread)
                for at, one in enumerate(typed.type)
            }
        return cls(value, typed, _has_any(value, starts), _has_any(typed, starts), inner)

    def part(self, run: int, start: int, rows: int) -> Array:
        """The rows of a run, without the fields that are absent in all of them."""
        value = self.value.slice(start, rows)
        if self.typed is None or not self.typed_in[run]:
            return struct_of(value, None)
        typed = self.typed.slice(start, rows)
        if self.inner is None:
            return struct_of(value, typed)
        inner = self.inner
        kept = [name for name, one in inner.items() if one.valued[run] or one.typed_in[run]]
        names = kept or list(inner)[:1]  # an object that is there, though it has no field
        nulls = typed.is_null() if typed.null_count else None
        fields = {name: inner[name].part(run, start, rows) for name in names}
        return struct_of(value, object_of(fields, nulls))


def _has_any(column: Array, starts: Array) -> Array:
    """Whether a run, from one of ``starts`` to the next, has something in ``column``: for each."""
    if not column.null_count:
        return np.ones(len(starts), bool)
    if column.null_count == len(column):
        return np.zeros(len(starts), bool)
    there = column.is_valid().to_numpy(zero_copy_only=False)
    return np.logical_or.reduceat(there, starts)


def typed_of(field: Array) -> Array | None:
    """What of a shredded field is typed; None when it has no typed place."""
    at = field.type.get_field_index(TYPED)
    return field.field(at) if at >= 0 else None
