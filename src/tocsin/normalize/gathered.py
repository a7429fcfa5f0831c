"""Decoded parts of one tenant put together, each record remembering where it came from."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id_column
from tocsin.model.lane import Lane
from tocsin.model.record import Decoded, Origin
from tocsin.model.shaped_records import Template
from tocsin.normalize.cells import Cells, Numbers, Wanted
from tocsin.normalize.columns import MAX_KEYS, column_of, columns_of
from tocsin.normalize.lane_shape import LaneShape
from tocsin.normalize.shaped_columns import ShapedColumns, TooMuch
from tocsin.normalize.shaped_rows import CellRows, ColumnRows, Rows, together, values_of
from tocsin.normalize.timestamps import to_micros

Asked = Callable[[Collection[Lane]], Mapping[Lane, frozenset[str]]]
"""Of the given lanes those some of whose fields are enough, with the names of these."""


@dataclass(frozen=True, slots=True, eq=False)
class LaneRows:
    """The records of one lane: shaped ones by template, others by row."""

    shaped: Sequence[Rows]
    loose: Numbers

    def rows(self) -> Numbers:
        """All rows, ascending."""
        return np.sort(np.concatenate([self.loose, *(group.rows for group in self.shaped)]))

    def shaped_rows(self) -> Numbers:
        """The rows of the shaped ones, ascending."""
        return np.sort(np.concatenate([group.rows for group in self.shaped]))


class Gathered:
    """The records of some parts in order, with their ids, sources and times of receipt."""

    def __init__(self, parts: Sequence[tuple[Decoded, Origin]]) -> None:
        """All origins are of one tenant."""
        self._parts = parts
        self._tenant = parts[0][1].tenant
        sizes = [len(decoded.records) for decoded, _ in parts]
        self._starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        self._sources = pa.array([origin.source for _, origin in parts], pa.string())
        self._received = np.array([to_micros(origin.received_at) for _, origin in parts], np.int64)
        self._ids = pa.concat_arrays(
            [
                event_id_column(origin.received_at, origin.spool, origin.position, decoded.ordinals)
                for decoded, origin in parts
            ]
        )
        self._raw: dict[int, bytes] = {}
        self.loose: dict[int, dict[str, object]] = {}
        for (decoded, _), start in zip(parts, self._starts.tolist(), strict=False):
            self._raw |= {start + row: decoded.lines[row] for row in decoded.keep_raw}
            loose: Mapping[int, dict[str, object]] = (
                dict(enumerate(decoded.records)) if decoded.shaped is None else decoded.shaped.loose
            )
            self.loose |= {start + row: record for row, record in loose.items()}
        shaped = [decoded.shaped for decoded, _ in parts if decoded.shaped is not None]
        self.cells = Cells(shaped) if shaped else None
        self.shaped = self._by_template()

    def _by_template(self) -> list[Rows]:
        found: dict[tuple[Template, bool | None], list[Rows]] = {}
        number = 0
        for (decoded, _), start in zip(self._parts, self._starts.tolist(), strict=False):
            if decoded.shaped is None or self.cells is None:
                continue
            texts, scalars = self.cells.first_texts[number], self.cells.first_scalars[number]
            number += 1
            for group in decoded.shaped.groups:
                rows = group.rows + start
                firsts = group.texts * 2 + texts, group.scalars * 2 + scalars
                made = CellRows(group.template, rows, *firsts)
                found.setdefault((group.template, None), []).append(made)
            for table in decoded.shaped.tables:
                own = ColumnRows(
                    table.template, table.rows + start, [table.columns], table.is_escaped
                )
                found.setdefault((table.template, table.is_escaped), []).append(own)
        return [together(same) for same in found.values()]

    def batches(
        self, lanes: Sequence[tuple[LaneShape, LaneRows]], asked: Asked | None = None
    ) -> list[EventBatch]:
        """The event batches of the given rows, which are of those shapes."""
        wanted = None if self.cells is None else Wanted(self.cells)
        enough = asked([shape.lane for shape, _ in lanes]) if asked else {}
        planned = [
            (shape, lane, self._planned(lane, wanted, shape.needed(enough.get(shape.lane))))
            for shape, lane in lanes
        ]
        if wanted is not None:
            wanted.make()
        return [self._batch(shape, lane, plan) for shape, lane, plan in planned]

    def _batch(self, shape: LaneShape, lane: LaneRows, plan: ShapedColumns | None) -> EventBatch:
        rows = lane.rows()
        part = np.searchsorted(self._starts, rows, "right") - 1
        received_us = self._received.take(part)
        native, ocsf, times = shape.columns(self._native(lane, rows, plan), received_us)
        return EventBatch(
            lane=shape.lane,
            sources=self._sources.take(pa.array(part)),
            tenant=self._tenant,
            event_ids=self._ids.take(pa.array(rows)),
            times=times,
            ingested_at=pa.array(received_us).cast(pa.timestamp("us", "UTC")),
            native=native,
            ocsf=ocsf,
            raw=self._raw_of(rows),
            left_out=plan.left_out if plan is not None else frozenset(),
        )

    def _planned(
        self, lane: LaneRows, wanted: Wanted | None, chosen: frozenset[str] | None
    ) -> ShapedColumns | None:
        """The columns of the shaped records of a lane; None where dicts are the way."""
        if self.cells is None or wanted is None or not lane.shaped:
            return None
        own = lane.shaped_rows()
        if len(lane.loose):
            chosen = None
        try:
            return ShapedColumns(self.cells, wanted, _placed(lane.shaped, own), len(own), chosen)
        except TooMuch:
            return None

    def _native(self, lane: LaneRows, rows: Numbers, plan: ShapedColumns | None) -> pa.RecordBatch:
        columns = None
        if plan is not None and self.cells is not None:
            columns = plan.made()
            if len(lane.loose):
                columns = self._with_loose(self.cells, columns, lane, rows)
        if not columns:
            return columns_of([self._record(row) for row in rows.tolist()])
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

    def _with_loose(
        self, cells: Cells, shaped: dict[str, pa.Array], lane: LaneRows, rows: Numbers
    ) -> dict[str, pa.Array] | None:
        """Columns of shaped and loose records, each made by itself where their types agree.

        None when they have more names than columns are made for.
        """
        own = lane.shaped_rows()
        records = [self.loose[row] for row in lane.loose.tolist()]
        left = columns_of(records)
        order = pa.array(np.argsort(np.concatenate((own, lane.loose)), kind="stable"))
        columns: dict[str, pa.Array] = {}
        names = dict.fromkeys([*shaped, *left.schema.names])
        if len(names) > MAX_KEYS:
            return None
        record = lru_cache(maxsize=None)(self._record)
        for name in names:
            one, at = shaped.get(name), left.schema.get_field_index(name)
            other = left.column(at) if at >= 0 else None
            if one is None:
                one = pa.nulls(len(own), left.schema.field(at).type)
            if other is None:
                other = pa.nulls(len(records), one.type)
            if one.type == other.type:
                columns[name] = pa.concat_arrays([one, other]).take(order)
            else:
                columns[name] = self._mixed(cells, lane, rows, name, record)
        return columns

    def _mixed(
        self,
        cells: Cells,
        lane: LaneRows,
        rows: Numbers,
        name: str,
        record: Callable[[int], dict[str, object]],
    ) -> pa.Array:
        """Values of several types; a few records with many values there are read whole."""
        values: list[object] = [None] * len(rows)
        for group in _placed(lane.shaped, rows):
            node, places = group.template.record.get(name), group.rows.tolist()
            if len(places) < _slots(node):
                found = [record(row).get(name) for row in rows[group.rows].tolist()]
            else:
                found = values_of(cells, node, group)
            for place, value in zip(places, found, strict=True):
                values[place] = value
        places = np.searchsorted(rows, lane.loose).tolist()
        for place, row in zip(places, lane.loose.tolist(), strict=True):
            values[place] = self.loose[row].get(name)
        return column_of(values)

    def _record(self, row: int) -> dict[str, object]:
        loose = self.loose.get(row)
        if loose is not None:
            return loose
        part = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._parts[part][0].records[row - int(self._starts[part])]

    def _raw_of(self, rows: Numbers) -> pa.Array:
        """The bytes of records whose fields can't rebuild them; null for all others."""
        if not self._raw:
            return pa.nulls(len(rows), pa.binary())
        return pa.array([self._raw.get(row) for row in rows.tolist()], pa.binary())


def _slots(node: object) -> int:
    """How many values of a template lie there."""
    if isinstance(node, int):
        return 1
    if isinstance(node, Mapping):
        return sum(map(_slots, node.values()))
    return sum(map(_slots, node)) if isinstance(node, Sequence) else 0


def _placed(groups: Sequence[Rows], rows: Numbers) -> list[Rows]:
    """The groups with places among ``rows`` instead of row numbers."""
    return [group.placed(np.searchsorted(rows, group.rows)) for group in groups]
