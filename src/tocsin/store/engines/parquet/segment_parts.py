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
    """Each run of events of the same lane, in order; nothing is copied."""
    lanes = table["lane"].combine_chunks().dictionary_encode()
    codes = lanes.indices.to_numpy(zero_copy_only=False)
    inner = (np.flatnonzero(np.diff(codes)) + 1).tolist()
    for start, stop in zip([0, *inner], [*inner, len(codes)], strict=True):
        run = table.slice(start, stop - start)
        yield LanePart(
            lane=lanes.dictionary[int(codes[start])].as_py(),
            plain=run.select(plain.names).cast(plain),
            variants={name: _filled(run[name].combine_chunks()) for name in variants},
        )


def _filled(column: Array) -> Array:
    """A VARIANT column without the fields that are absent in all rows."""
    field = _without_absent(column)
    fields = [pa.field(METADATA, pa.binary()), *field.type]
    children = [column.field(METADATA), *(field.field(at) for at in range(field.type.num_fields))]
    return pa.StructArray.from_arrays(children, fields=fields)


def _without_absent(field: Array) -> Array:
    value, typed = field.field(VALUE), typed_of(field)
    if typed is None or typed.null_count == len(typed):
        return struct_of(value, None)
    if not pa.types.is_struct(typed.type):
        return struct_of(value, typed)
    children = {inner.name: typed.field(at) for at, inner in enumerate(typed.type)}
    kept = [name for name, child in children.items() if _is_anywhere(child)]
    nulls = typed.is_null() if typed.null_count else None
    names = kept or list(children)[:1]  # an object that is there, though it has no field
    return struct_of(
        value, object_of({name: _without_absent(children[name]) for name in names}, nulls)
    )


def _is_anywhere(field: Array) -> bool:
    value, typed = field.field(VALUE), typed_of(field)
    if value.null_count < len(value):
        return True
    return typed is not None and typed.null_count < len(typed)


def typed_of(field: Array) -> Array | None:
    """What of a shredded field is typed; None when it has no typed place."""
    at = field.type.get_field_index(TYPED)
    return field.field(at) if at >= 0 else None
