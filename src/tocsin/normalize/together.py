"""Records that tell of one event together: each gets what the others say of it."""

from collections.abc import Mapping as ByKey
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.event import EventBatch
from tocsin.normalize.mapping import Gives, Mapping
from tocsin.normalize.ocsf_types import to_text

REMEMBERED = 20_000
"""So many records of a giving shape are remembered for those that come in a later turn."""
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class _Told:
    """What records of one giving shape say: a key and some OCSF columns each."""

    keys: pa.Array
    columns: ByKey[str, pa.Array]

    def last(self, count: int) -> "_Told":
        start = max(0, len(self.keys) - count)
        return _Told(
            self.keys[start:], {name: array[start:] for name, array in self.columns.items()}
        )

    def after(self, earlier: "_Told | None") -> "_Told":
        """These and what was told before, where both know a column in one type."""
        if earlier is None or not len(earlier.keys):
            return self
        columns = {
            name: pa.concat_arrays([_of(earlier, name, array.type), array])
            for name, array in self.columns.items()
        }
        return _Told(pa.concat_arrays([earlier.keys, self.keys]), columns)


class Joining:
    """Joins records by what the mapping's ``together`` says; for one thread at a time.

    A record gets the others' attributes where it has none itself, whichever came first within a
    turn of the flow; of earlier turns it gets what is remembered. Nothing waits, and no record
    is taken away: what Sigma's rules look at stays as it came.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._connector = mapping.connector
        self._by = mapping.together.by if mapping.together else ""
        self._gives = mapping.together.gives if mapping.together else []
        self._before: dict[tuple[str, str], _Told] = {}

    def joined(self, batches: Sequence[EventBatch]) -> list[EventBatch]:
        """The batches, those of this connector with what others told; in the same order."""
        mine = {
            (batch.tenant, batch.lane.shape): batch
            for batch in batches
            if batch.lane.connector == self._connector
        }
        if not mine:
            return list(batches)
        keys = {place: _keys(batch, self._by) for place, batch in mine.items()}
        told = self._told(mine, keys)
        for give in self._gives:
            for (tenant, shape), batch in mine.items():
                giving = told.get((tenant, give.shape))
                if giving is not None and shape in give.to:
                    mine[tenant, shape] = _given(batch, keys[tenant, shape], giving, give)
        return [
            mine.get((batch.tenant, batch.lane.shape), batch)
            if batch.lane.connector == self._connector
            else batch
            for batch in batches
        ]

    @property
    def giving(self) -> frozenset[str]:
        """Ids of the lanes whose records tell others something."""
        return frozenset(f"{self._connector}.{give.shape}" for give in self._gives)

    def remember(self, batches: Sequence[EventBatch]) -> None:
        """Take note of what was said before this process began."""
        for batch in batches:
            if batch.lane.id in self.giving:
                place = (batch.tenant, batch.lane.shape)
                self._told({place: batch}, {place: _keys(batch, self._by)})

    def _told(
        self,
        mine: ByKey[tuple[str, str], EventBatch],
        keys: ByKey[tuple[str, str], pa.Array],
    ) -> dict[tuple[str, str], _Told]:
        """What giving shapes say now and said before, by tenant and shape."""
        told = dict(self._before)
        wanted: dict[str, dict[str, None]] = {}
        for give in self._gives:
            wanted.setdefault(give.shape, {}).update(dict.fromkeys(give.columns))
        for (tenant, shape), batch in mine.items():
            if shape in wanted:
                now = _Told(keys[tenant, shape], _columns(batch.ocsf, wanted[shape]))
                told[tenant, shape] = now.after(self._before.get((tenant, shape)))
                self._before[tenant, shape] = told[tenant, shape].last(REMEMBERED)
        return told


def _keys(batch: EventBatch, by: str) -> pa.Array:
    """Source, machine, time and serial as one text a record; null where there is no serial."""
    count = len(batch)
    at = batch.native.schema.get_field_index(by)
    serial = to_text(batch.native.column(at)) if at >= 0 else pa.nulls(count, pa.string())
    host = batch.ocsf.schema.get_field_index("device.hostname")
    machine = to_text(batch.ocsf.column(host)) if host >= 0 else pa.nulls(count, pa.string())
    return pc.binary_join_element_wise(
        batch.sources.cast(pa.string()),
        pc.fill_null(machine, ""),
        batch.times.cast(pa.int64()).cast(pa.string()),
        serial,
        _SEPARATOR,
    )


def _columns(ocsf: pa.RecordBatch, names: ByKey[str, None]) -> dict[str, pa.Array]:
    here = set(ocsf.schema.names)
    return {name: ocsf.column(name) for name in names if name in here}


def _of(told: _Told, name: str, kind: pa.DataType) -> pa.Array:
    """A column of what was told, all null where it was not there or of another type."""
    array = told.columns.get(name)
    return array if array is not None and array.type == kind else pa.nulls(len(told.keys), kind)


def _given(batch: EventBatch, keys: pa.Array, giving: _Told, give: Gives) -> EventBatch:
    places = pc.index_in(keys, value_set=giving.keys, skip_nulls=True)
    if places.null_count == len(places):
        return batch
    names, arrays = list(batch.ocsf.schema.names), list(batch.ocsf.columns)
    for name in give.columns:
        told = giving.columns.get(name)
        if told is None:
            continue
        found = told.take(places)
        if found.null_count == len(found):
            continue
        if name not in names:
            names.append(name)
            arrays.append(found)
            continue
        at = names.index(name)
        if arrays[at].null_count and arrays[at].type == found.type:
            arrays[at] = pc.coalesce(arrays[at], found)
    return replace(batch, ocsf=pa.RecordBatch.from_arrays(arrays, names=names))
