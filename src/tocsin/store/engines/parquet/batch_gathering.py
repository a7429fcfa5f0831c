"""Puts event batches of the same lane and tenant together into large ones."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.variant.arrow_plain import is_list
from tocsin.store.engines.variant.variant_columns import no_columns

_MOST_WAITING = 8
"""So many full batches' rows wait at most, over all lanes."""
_FULL_BYTES = 128 << 20


class BatchGathering:
    """Gives batches of at least ``rows`` events as they fill; the rest at the end.

    Events whose fields have other types than those before stay in a batch of their own.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._waiting: dict[tuple[Lane, str], list[_Pile]] = {}
        self._held = 0

    def add(self, batch: EventBatch) -> Iterator[EventBatch]:
        """Take a batch in; what is full by now."""
        piles = self._waiting.setdefault((batch.lane, batch.tenant), [])
        pile = next((one for one in piles if one.takes(batch)), None)
        if pile is None:
            pile = _Pile()
            pile.takes(batch)
            piles.append(pile)
        self._held += len(batch)
        if pile.rows >= self._rows or pile.size_bytes >= _FULL_BYTES:
            piles.remove(pile)
            yield self._given(pile)
        elif self._held > _MOST_WAITING * self._rows:
            largest = max((p for found in self._waiting.values() for p in found), key=_rows_of)
            self._waiting[largest.batches[0].lane, largest.batches[0].tenant].remove(largest)
            yield self._given(largest)

    def rest(self) -> Iterator[EventBatch]:
        """What is still waiting."""
        for piles in self._waiting.values():
            for pile in piles:
                yield self._given(pile)
        self._waiting.clear()

    def _given(self, pile: "_Pile") -> EventBatch:
        self._held -= pile.rows
        return pile.whole()


class _Pile:
    def __init__(self) -> None:
        self.batches: list[EventBatch] = []
        self.rows = 0
        self.size_bytes = 0
        self._native: dict[str, pa.DataType] = {}
        self._ocsf: dict[str, pa.DataType] = {}

    def takes(self, batch: EventBatch) -> bool:
        """Take the batch in if its columns fit those before."""
        native = _together(self._native, batch.native.schema)
        ocsf = _together(self._ocsf, batch.ocsf.schema)
        if native is None or ocsf is None:
            return False
        self._native, self._ocsf = native, ocsf
        self.batches.append(batch)
        self.rows += len(batch)
        self.size_bytes += batch.native.nbytes + batch.ocsf.nbytes + batch.raw.nbytes
        return True

    def whole(self) -> EventBatch:
        batches = self.batches
        if len(batches) == 1:
            return batches[0]
        return EventBatch(
            lane=batches[0].lane,
            sources=pa.concat_arrays([batch.sources for batch in batches]),
            tenant=batches[0].tenant,
            event_ids=pa.concat_arrays([batch.event_ids for batch in batches]),
            times=pa.concat_arrays([batch.times for batch in batches]),
            ingested_at=pa.concat_arrays([batch.ingested_at for batch in batches]),
            native=_stacked([batch.native for batch in batches], self._native),
            ocsf=_stacked([batch.ocsf for batch in batches], self._ocsf),
            raw=pa.concat_arrays([batch.raw for batch in batches]),
        )


def _rows_of(pile: _Pile) -> int:
    return pile.rows


def _together(known: dict[str, Any], schema: pa.Schema) -> dict[str, Any] | None:
    merged = dict(known)
    for field in schema:
        before = merged.get(field.name)
        kind = field.type if before is None else _type_of_both(before, field.type)
        if kind is None:
            return None
        merged[field.name] = kind
    return merged


def _type_of_both(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds values of both as they are; None when there is none."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_dictionary(one) or pa.types.is_dictionary(other):
        plain = {kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, other)}
        return plain.pop() if len(plain) == 1 else None
    if is_list(one) and is_list(other):
        member = _type_of_both(one.value_type, other.value_type)
        return None if member is None else pa.list_(member)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = _together({field.name: field.type for field in one}, pa.schema(list(other)))
        return None if fields is None else pa.struct(list(fields.items()))
    if pa.types.is_decimal(one) and pa.types.is_decimal(other):
        scale = max(one.scale, other.scale)
        whole = max(one.precision - one.scale, other.precision - other.scale)
        return pa.decimal128(whole + scale, scale) if whole + scale <= 38 else None
    return None


def _stacked(batches: Sequence[pa.RecordBatch], kinds: dict[str, Any]) -> pa.RecordBatch:
    if not kinds:
        rows = sum(batch.num_rows for batch in batches)
        return no_columns(rows)
    columns = {}
    for name, kind in kinds.items():
        parts = []
        for batch in batches:
            at = batch.schema.get_field_index(name)
            parts.append(
                pa.nulls(batch.num_rows, kind) if at < 0 else _as_type(batch.column(at), kind)
            )
        columns[name] = pa.concat_arrays(parts)
    return pa.RecordBatch.from_pydict(columns)


def _as_type(array: Any, kind: pa.DataType) -> Any:
    if array.type == kind:
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    gone = array.is_null() if array.null_count else None
    if pa.types.is_struct(kind):
        if not kind.num_fields:
            return array.cast(kind)
        children = []
        for field in kind:
            at = array.type.get_field_index(field.name)
            children.append(
                pa.nulls(len(array), field.type)
                if at < 0
                else _as_type(array.field(at), field.type)
            )
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=gone)
    if is_list(kind):
        sizes = array.value_lengths().fill_null(0)
        zero = pa.array([0], sizes.type)
        ends = pc.cumulative_sum(sizes) if len(sizes) else sizes
        offsets = pa.concat_arrays([zero, ends]).cast(pa.int32())
        members = _as_type(array.flatten(), kind.value_type)
        return pa.ListArray.from_arrays(offsets, members, type=kind, mask=gone)
    return array.cast(kind)
