"""The fields of one batch as columns, made when first asked for."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.matching.batch_text import MOST_ROWS, folded_text
from tocsin.detect.matching.column import Column, Rows
from tocsin.detect.matching.column_reader import ColumnReader
from tocsin.detect.matching.vocabulary import PassingVocabulary
from tocsin.detect.rules.value_text import text_of
from tocsin.model.field_path import column_at, values_at

_WIDE = 256
MOST_GROUPS = 1 << 18
"""More combinations of values are not worth telling apart."""
Groups: TypeAlias = tuple[Rows, Rows]
"""One row of each group, and the group of every row."""


class BatchView:
    """Columns of a batch's native fields by the names rules use.

    ``without_keywords``: no keyword of a rule is in any value, so that keywords see none.
    """

    def __init__(
        self, native: pa.RecordBatch, reader: ColumnReader, *, without_keywords: bool = False
    ) -> None:
        nested = (column for column in native.columns if pa.types.is_nested(column.type))
        if any(column.offset for column in nested):
            native = native.take(pa.array(np.arange(native.num_rows)))
        self._native = native
        self._reader = reader
        self._columns: dict[str, Column | None] = {}
        self._without_keywords = without_keywords
        self._leaves: list[Column] | None = [] if without_keywords else None
        self._groups: dict[tuple[str, ...], Groups | None] = {}
        self.rows: Rows = np.arange(native.num_rows)

    def column(self, field: str) -> Column | None:
        """The column of a field, None when no event of the batch has it."""
        try:
            return self._columns[field]
        except KeyError:
            found = self._columns[field] = self._read(field)
            return found

    def folded_text(self, *, numbers: bool) -> bytes | None:
        """All text in one buffer; None for a batch too large for that."""
        if self._without_keywords:
            return b""
        if len(self.rows) > MOST_ROWS:
            return None
        return folded_text(self._native, numbers=numbers)

    def leaves(self) -> list[Column]:
        """Every value at any depth: what keywords are looked for in."""
        if self._leaves is None:
            wide = self._native.num_columns > _WIDE
            self._leaves = [self._as_one()] if wide else list(self._all_leaves())
        return self._leaves

    def _as_one(self) -> Column:
        """All values of a row as one list: thousands of columns cost time each."""
        rows: list[Rows] = []
        texts: list[pa.Array] = []
        for array in self._native.columns:
            at, found = _texts_by_row(array)
            if len(at):
                rows.append(at)
                texts.append(found)
        if not rows:
            return self._reader.read_values("(all)", [[]] * len(self.rows))
        at = np.concatenate(rows)
        order = np.argsort(at, kind="stable")
        offsets = np.zeros(len(self.rows) + 1, np.int32)
        np.cumsum(np.bincount(at, minlength=len(self.rows)), out=offsets[1:])
        joined = pa.concat_arrays(texts).take(pa.array(order))
        return self._reader.read("(all)", pa.ListArray.from_arrays(pa.array(offsets), joined))

    def groups(self, fields: tuple[str, ...]) -> Groups | None:
        """Rows that have the same values in ``fields`` together; None where that is most rows."""
        try:
            return self._groups[fields]
        except KeyError:
            found = self._groups[fields] = self._grouped(fields)
            return found

    def _grouped(self, fields: tuple[str, ...]) -> Groups | None:
        if not fields:
            return self.rows[:1], np.zeros(len(self.rows), np.int64)
        column = self.column(fields[-1])
        others = self.groups(fields[:-1])
        if column is None or others is None:
            return others
        codes = column.single_codes
        if codes is None or isinstance(column.vocabulary, PassingVocabulary):
            return None
        if len(fields) > 1:
            alone = self.groups(fields[-1:])
            if alone is None or len(alone[0]) * len(others[0]) > MOST_GROUPS:
                return None
            return _numbered(others[1] * len(alone[0]) + alone[1], len(others[0]) * len(alone[0]))
        return _numbered(codes + 1, len(column.vocabulary) + 1)

    def _read(self, field: str) -> Column | None:
        array = column_at(self._native, field)
        if array is not None:
            return self._reader.read(field, array)
        holder = self._list_of_lists(field)
        if holder is None:
            return None
        records = self._native.column(holder).to_pylist()
        found = [values_at({holder: record}, field) or [] for record in records]
        return self._reader.read_values(
            field, [[text_of(value) for value in values if value is not None] for values in found]
        )

    def _list_of_lists(self, field: str) -> str | None:
        """The column ``field`` leads into through lists in lists: read row by row, it is rare."""
        for at, character in enumerate(field):
            index = self._native.schema.get_field_index(field[:at]) if character == "." else -1
            if index >= 0 and str(self._native.schema.field(index).type).count("list<") > 1:
                return field[:at]
        return None

    def _all_leaves(self) -> Iterator[Column]:
        for name, array in zip(self._native.schema.names, self._native.columns, strict=True):
            if not pa.types.is_nested(array.type):
                column = self.column(name)
                if column is not None:
                    yield column
            elif _is_plain_list(array.type):
                yield self._reader.read(name, array)
            elif pa.types.is_struct(array.type):
                yield from self._struct_leaves(name, array)
            else:
                yield self._by_rows(name, array)

    def _struct_leaves(self, path: str, array: pa.Array) -> Iterator[Column]:
        for index in range(array.type.num_fields):
            inner = pc.struct_field(array, [index])
            name = f"{path}.{array.type.field(index).name}"
            if pa.types.is_struct(inner.type):
                yield from self._struct_leaves(name, inner)
            elif not pa.types.is_nested(inner.type) or _is_plain_list(inner.type):
                yield self._reader.read(name, inner)
            else:
                yield self._by_rows(name, inner)

    def _by_rows(self, name: str, array: pa.Array) -> Column:
        texts = [list(_texts_within(value)) for value in array.to_pylist()]
        return self._reader.read_values(f"{name} (all)", texts)


def _numbered(codes: Rows, size: int) -> Groups:
    """Groups by code (below ``size``), numbered without gaps."""
    some_row = np.full(size, -1, np.int64)
    some_row[codes] = np.arange(len(codes))
    present = np.flatnonzero(some_row >= 0)
    numbers = np.zeros(size, np.int64)
    numbers[present] = np.arange(len(present))
    return some_row[present], numbers[codes]


def _texts_by_row(array: pa.Array) -> tuple[Rows, pa.Array]:
    """The rows that have a value, repeated for each text in it, and the texts."""
    if pa.types.is_string(array.type):
        valid = array.is_valid()
        rows = np.flatnonzero(valid.to_numpy(zero_copy_only=False))
        return rows, array if len(rows) == len(array) else array.filter(valid)
    pairs = [
        (at, text)
        for at, value in enumerate(array.to_pylist())
        if value is not None
        for text in _texts_within(value)
        if text is not None
    ]
    return np.array([at for at, _ in pairs], np.int64), pa.array([t for _, t in pairs], pa.string())


def _is_plain_list(kind: pa.DataType) -> bool:
    return bool(
        (pa.types.is_list(kind) or pa.types.is_large_list(kind))
        and not pa.types.is_nested(kind.value_type)
    )


def _texts_within(value: object) -> Iterator[str | None]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts_within(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_within(inner)
    elif value is not None:
        yield text_of(value)
