"""Lays Arrow columns out as a fully shredded Parquet VARIANT, ready for a plain Parquet writer.

Source: Apache Parquet, VariantShredding.md. DuckDB 2.0 casts to VARIANT and shreds at 11-26
thousand events a second; this layout is only a rearrangement of Arrow buffers and is written at
about 200 thousand, with the same result when read.

A field whose type differs between batches is typed as most rows have it; the other rows' values
go, encoded, into the ``value`` beside it. So do fields of one object whose names differ by case
only (readers fold case) and those beyond ``WIDEST_OBJECT``: nothing is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tocsin.store.engines.arrow_plain import kind_of, plain
from tocsin.store.engines.variant_encoding import NULL, FieldNames, encode

WIDEST_OBJECT = 1_000
DEEPEST_OBJECT = 32

Part = pa.Array | int
"""The rows of one batch: an array, or the number of rows in which the field is absent."""

_EMPTY_METADATA = b"\x01\x00\x00"


@dataclass(slots=True)
class _Layout:
    names: FieldNames = field(default_factory=FieldNames)
    has_residuals: bool = False

    def encode_rows(self, array: pa.Array, null: bytes | None = None) -> pa.Array:
        self.has_residuals = True
        values = [null if value is None else encode(value, self.names) for value in array.to_pylist()]
        return pa.array(values, pa.binary())


def shredded(batches: Sequence[pa.RecordBatch]) -> pa.StructArray:
    """The rows of ``batches`` one below the other as one VARIANT column (storage layout)."""
    layout = _Layout()
    objects: list[Part] = [
        pa.StructArray.from_arrays(batch.columns, names=batch.schema.names)
        if batch.num_columns
        else batch.num_rows
        for batch in batches
    ]
    rows = sum(map(_length, objects))
    typed, residual = _object(objects, layout, depth=0)
    value = pa.nulls(rows, pa.binary()) if residual is None else residual
    metadata = layout.names.metadata() if layout.has_residuals else _EMPTY_METADATA
    columns = [pa.repeat(pa.scalar(metadata, pa.binary()), rows), value]
    fields = [pa.field("metadata", pa.binary(), nullable=False), pa.field("value", pa.binary())]
    if typed is not None:
        columns.append(typed)
        fields.append(pa.field("typed_value", typed.type))
    absent = None if typed is not None else value.is_null()
    return pa.StructArray.from_arrays(columns, fields=fields, mask=absent)


def _field(parts: Sequence[Part], layout: _Layout, depth: int, null: bytes | None) -> pa.Array:
    """One shredded field: a struct of ``value`` and ``typed_value``, never null itself.

    ``null`` is what a null row is encoded as (a member of a list must say it is null).
    """
    kinds = [None if isinstance(part, int) else kind_of(part) for part in parts]
    weights: dict[str, int] = {}
    for part, kind in zip(parts, kinds, strict=True):
        if kind is not None and not isinstance(part, int):
            weights[kind] = weights.get(kind, 0) + len(part) - part.null_count
    winner = max(weights, key=lambda kind: weights[kind], default="")
    if depth >= DEEPEST_OBJECT and winner in {"object", "list"}:
        winner = ""
    chosen = [
        part if kind == winner else _length(part) for part, kind in zip(parts, kinds, strict=True)
    ]
    typed, residual = _typed(winner, chosen, layout, depth)
    values = [
        _value_of(part, kind == winner, layout, null)
        for part, kind in zip(parts, kinds, strict=True)
    ]
    value = pa.concat_arrays(values) if values else pa.nulls(0, pa.binary())
    if residual is not None:
        value = pa.array(
            [mine if mine is not None else theirs for mine, theirs in
             zip(residual.to_pylist(), value.to_pylist(), strict=True)],
            pa.binary(),
        )
    return pa.StructArray.from_arrays(
        [value, typed], fields=[pa.field("value", pa.binary()), pa.field("typed_value", typed.type)]
    )


def _value_of(part: Part, is_typed: bool, layout: _Layout, null: bytes | None) -> pa.Array:
    if not isinstance(part, int) and not is_typed:
        return layout.encode_rows(part, null)
    length = _length(part)
    if null is None:
        return pa.nulls(length, pa.binary())
    if isinstance(part, int):
        return pa.repeat(pa.scalar(null, pa.binary()), length)
    if not part.null_count:
        return pa.nulls(length, pa.binary())
    return pa.array([null if is_null else None for is_null in part.is_null().to_pylist()], pa.binary())


def _typed(
    kind: str, parts: Sequence[Part], layout: _Layout, depth: int
) -> tuple[pa.Array, pa.Array | None]:
    rows = sum(map(_length, parts))
    if kind == "object":
        typed, residual = _object(parts, layout, depth + 1)
        if typed is not None:
            return typed, residual
        return pa.nulls(rows, pa.string()), residual
    if kind == "list":
        return _list(parts, layout, depth + 1), None
    arrays = [part for part in parts if not isinstance(part, int)]
    if not arrays:
        return pa.nulls(rows, pa.string()), None
    type_ = arrays[0].type
    return pa.concat_arrays(
        [pa.nulls(part, type_) if isinstance(part, int) else part for part in parts]
    ), None


def _object(
    parts: Sequence[Part], layout: _Layout, depth: int
) -> tuple[pa.StructArray | None, pa.Array | None]:
    """The typed fields, and the encoded objects of the fields that can't be typed ones."""
    children: dict[str, list[Part]] = {}
    counts: dict[str, int] = {}
    done = 0
    for part in parts:
        if not isinstance(part, int):
            for child_field, child in zip(part.type, part.flatten(), strict=True):
                if child.null_count < len(child):
                    column = children.setdefault(child_field.name, [])
                    _pad(column, done)
                    column.append(plain(child))
                    counts[child_field.name] = counts.get(child_field.name, 0) + len(child) - child.null_count
        done += _length(part)
    for column in children.values():
        _pad(column, done)
    typed_names, residual_names = _choose(counts)
    empty = _rows_of_empty_objects(parts) if not typed_names else None
    fields = [_field(children[name], layout, depth, None) for name in typed_names]
    residual = _residual({name: children[name] for name in residual_names}, done, layout, empty)
    if not fields:
        return None, residual
    return pa.StructArray.from_arrays(
        fields,
        fields=[
            pa.field(name, shred.type, nullable=False)
            for name, shred in zip(typed_names, fields, strict=True)
        ],
        mask=_nulls_of(parts),
    ), residual


def _choose(counts: dict[str, int]) -> tuple[list[str], list[str]]:
    """Names to type, the fullest of those that only differ by case, and the rest."""
    typed: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: -counts[name]):
        if len(typed) < WIDEST_OBJECT:
            typed.setdefault(name.lower(), name)
    chosen = set(typed.values())
    return [n for n in counts if n in chosen], [n for n in counts if n not in chosen]


def _residual(
    columns: dict[str, list[Part]], rows: int, layout: _Layout, empty: list[bool] | None
) -> pa.Array | None:
    if not columns and not (empty and any(empty)):
        return None
    objects: list[dict[str, object] | None] = [None] * rows
    if empty:
        objects = [{} if is_empty else None for is_empty in empty]
    for name, parts in columns.items():
        at = 0
        for part in parts:
            if not isinstance(part, int):
                for row, value in enumerate(part.to_pylist(), at):
                    if value is not None:
                        whole = objects[row]
                        if whole is None:
                            whole = objects[row] = {}
                        whole[name] = value
            at += _length(part)
    layout.has_residuals = True
    return pa.array(
        [None if whole is None else encode(whole, layout.names) for whole in objects], pa.binary()
    )


def _rows_of_empty_objects(parts: Sequence[Part]) -> list[bool]:
    found: list[bool] = []
    for part in parts:
        if isinstance(part, int):
            found += [False] * part
        else:
            found += part.is_valid().to_pylist()
    return found


def _list(parts: Sequence[Part], layout: _Layout, depth: int) -> pa.ListArray:
    lengths: list[np.ndarray] = []
    members: list[Part] = []
    for part in parts:
        if isinstance(part, int):
            lengths.append(np.zeros(part, np.int64))
        else:
            sizes = part.value_lengths().fill_null(0)
            lengths.append(sizes.to_numpy(zero_copy_only=False).astype(np.int64))
            flat = part.flatten()
            members.append(len(flat) if pa.types.is_null(flat.type) else plain(flat))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int32)
    elements = _field(members, layout, depth, NULL)
    type_ = pa.list_(pa.field("element", elements.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets), elements, type=type_, mask=_nulls_of(parts))


def _pad(column: list[Part], rows: int) -> None:
    have = sum(map(_length, column))
    if have < rows:
        column.append(rows - have)


def _nulls_of(parts: Sequence[Part]) -> pa.Array | None:
    if not any(isinstance(part, int) or part.null_count for part in parts):
        return None
    return pa.concat_arrays(
        [pa.repeat(True, part) if isinstance(part, int) else part.is_null() for part in parts]
    )


def _length(part: Part) -> int:
    return part if isinstance(part, int) else len(part)
