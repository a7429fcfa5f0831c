"""What is written to ClickHouse, numbered so that only what was published counts.

Every write has a number of its own, in its rows and, once published, in the manifest. Rows whose
number the manifest does not hold are seen by no query, and are removed when the store is opened.
"""

import hashlib
import threading
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

from tocsin.model.event import EventBatch
from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import number
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable, within
from tocsin.store.engines.clickhouse.clickhouse_rows import TEXTS, moment_of, rows_of
from tocsin.store.engines.clickhouse.clickhouse_tables import COLUMNS, EVENTS, NUMBER
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.ports import Segment, StateStore

Replaced = tuple[Segment, Segment | None]


class ClickHouseWrites:
    """Writes rows, rewrites published ones, and removes what does not count; one process writes."""

    def __init__(self, clickhouse: ClickHouse, state: StateStore) -> None:
        self._clickhouse = clickhouse
        self._state = state
        self._guard = threading.Lock()
        self._last = 0
        self._unpublished: set[int] = set()

    def write(self, batches: Sequence[EventBatch]) -> Segment:
        taken = self._next_number()
        rows, fields = rows_of(batches, taken)
        identifier = uuid.uuid4().hex
        self._clickhouse.insert(EVENTS, rows, identifier)
        times, ids = rows["time"].to_numpy(), rows["event_id"].to_pylist()
        return Segment(
            id=identifier,
            path=str(NumberRanges(((taken, taken),))),
            rows=rows.num_rows,
            size_bytes=self.size_of(rows.num_rows),
            first_time=moment_of(int(times.min())),
            last_time=moment_of(int(times.max())),
            sources=tuple(sorted(set(rows["source"].to_pylist()))),
            lanes=tuple(sorted({batch.lane.id for batch in batches})),
            checksum=_checksum(rows),
            first_event_id=min(ids),
            last_event_id=max(ids),
            fields=fields,
        )

    def without(self, segment: Segment, goes: exp.Expr) -> Replaced | None:
        """The segment and what takes its place when rows that meet ``goes`` have gone.

        None when it has none of them. Only the writes they are in are written anew.
        """
        mine = NumberRanges.read(segment.path)
        table = EventTable(self._clickhouse.database, mine)
        going = exp.and_(table.published(), exp.paren(goes.copy()))
        query = table.select(exp.column(NUMBER)).distinct().where(going)
        touched = [row[NUMBER] for row in self._clickhouse.select(query)]
        if not touched:
            return None
        changed = NumberRanges.each(touched)
        rest = mine.outside(changed)
        stays = exp.and_(within(changed), exp.not_(exp.paren(goes.copy())))
        (counted,) = self._clickhouse.select(table.count(stays))
        if counted["matches"]:
            taken = self._next_number()
            self._copy(table, stays, taken)
            rest = NumberRanges.of([*rest.ranges, (taken, taken)])
        return segment, self._facts_of(rest) if rest else None

    def drop(self, numbers: NumberRanges) -> int:
        """Remove the rows of these writes; how many writes had some."""
        if not numbers:
            return 0
        distinct = exp.Count(this=exp.Distinct(expressions=[exp.column(NUMBER)]))
        table = EventTable(self._clickhouse.database, numbers)
        query = table.select(exp.alias_(distinct, "writes")).where(table.published())
        (found,) = self._clickhouse.select(query)
        if found["writes"]:
            self._clickhouse.command(table.delete())
        with self._guard:
            self._unpublished -= {one for one in self._unpublished if one in numbers}
        return int(found["writes"])

    def missing(self, segments: Sequence[Segment]) -> list[tuple[Segment, int]]:
        """Those of which not all rows are there (any more), and how many are not."""
        ranges = [NumberRanges.read(one.path) for one in segments]
        table = EventTable(
            self._clickhouse.database,
            NumberRanges.of(one for some in ranges for one in some.ranges),
        )
        count = exp.alias_(exp.Count(this=exp.Star()), "rows")
        query = table.select(NUMBER, count).where(table.published()).group_by(NUMBER)
        found = sorted((row[NUMBER], row["rows"]) for row in self._clickhouse.select(query))
        numbers = np.array([number for number, _ in found], np.uint64)
        before = np.cumsum([0, *(rows for _, rows in found)])
        lacking = []
        for segment, own in zip(segments, ranges, strict=True):
            there = sum(
                int(before[np.searchsorted(numbers, last, "right")])
                - int(before[np.searchsorted(numbers, first, "left")])
                for first, last in own.ranges
            )
            if there != segment.rows:
                lacking.append((segment, segment.rows - there))
        return lacking

    def counting(self) -> NumberRanges:
        """The numbers that the manifest holds."""
        with self._state.read() as tx:
            paths = manifest.paths(tx)
        return NumberRanges.of(one for path in paths for one in NumberRanges.read(path).ranges)

    def sweep(self) -> int:
        """Remove the rows of writes that never counted and are not under way; how many writes."""
        counting = self.counting()
        last = max((end for _, end in counting.ranges), default=0)
        last = max(last, self._last_written())
        with self._guard:
            self._unpublished = {one for one in self._unpublished if one not in counting}
            under_way = set(self._unpublished)
        return self.drop(counting.gaps(last).outside(NumberRanges.each(under_way)))

    def merged(self, group: Sequence[Segment]) -> Segment:
        """One segment of the same rows; nothing is written."""
        ranges = [one for part in group for one in NumberRanges.read(part.path).ranges]
        return Segment(
            id=uuid.uuid4().hex,
            path=str(NumberRanges.of(ranges)),
            rows=sum(part.rows for part in group),
            size_bytes=sum(part.size_bytes for part in group),
            first_time=min(part.first_time for part in group),
            last_time=max(part.last_time for part in group),
            sources=tuple(sorted({name for part in group for name in part.sources})),
            lanes=tuple(sorted({name for part in group for name in part.lanes})),
            checksum=_joined(sorted(part.checksum for part in group)),
            first_event_id=min(part.first_event_id for part in group),
            last_event_id=max(part.last_event_id for part in group),
        )

    def _next_number(self) -> int:
        with self._guard:
            if not self._last:
                counting = self.counting()
                known = max((end for _, end in counting.ranges), default=0)
                self._last = max(known, self._last_written())
            self._last += 1
            self._unpublished.add(self._last)
            return self._last

    def _last_written(self) -> int:
        every = EventTable(self._clickhouse.database, NumberRanges())
        (row,) = self._clickhouse.select(every.select(_named("max", NUMBER, "last")))
        return int(row["last"])

    def _copy(self, table: EventTable, where: exp.Expr, taken: int) -> None:
        # Not "* REPLACE": the condition would see the new number instead of the old one.
        names = [name for name in COLUMNS if name != NUMBER]
        into = exp.Schema(
            this=table.name(),
            expressions=[exp.to_identifier(name, quoted=True) for name in (NUMBER, *names)],
        )
        self._clickhouse.command(
            exp.Insert(this=into, expression=table.select(number(taken), *names).where(where)),
            insert_deduplication_token=uuid.uuid4().hex,
        )

    def _facts_of(self, numbers: NumberRanges) -> Segment:
        table = EventTable(self._clickhouse.database, numbers)
        named: list[tuple[str, str, str]] = [
            *(("min", "time", "first_time"), ("max", "time", "last_time")),
            *(("min", "event_id", "first_id"), ("max", "event_id", "last_id")),
            *(("groupUniqArray", "source", "sources"), ("groupUniqArray", "lane", "lanes")),
        ]
        count = exp.alias_(exp.Count(this=exp.Star()), "events")
        query = table.select(count, *(_named(*one) for one in named)).where(table.published())
        (row,) = self._clickhouse.select(query)
        return Segment(
            id=uuid.uuid4().hex,
            path=str(numbers),
            rows=row["events"],
            size_bytes=self.size_of(row["events"]),
            first_time=moment_of(row["first_time"]),
            last_time=moment_of(row["last_time"]),
            sources=_names(row["sources"]),
            lanes=_names(row["lanes"]),
            checksum=_joined([str(numbers)]),
            first_event_id=row["first_id"].decode(),
            last_event_id=row["last_id"].decode(),
        )

    def size_of(self, rows: int) -> int:
        """The share of so many rows in what the table takes on the disk, at least a byte each."""
        is_ours = exp.and_(
            *(
                exp.EQ(this=exp.column(name), expression=exp.Literal.string(value))
                for name, value in (("database", self._clickhouse.database), ("table", EVENTS))
            ),
            exp.column("active"),
        )
        query = (
            exp.select(_named("sum", "bytes_on_disk", "size"), _named("sum", "rows", "held"))
            .from_(exp.table_("parts", db="system"))
            .where(is_ours)
        )
        (row,) = self._clickhouse.select(query)
        return max(rows, round(rows * int(row["size"]) / max(1, int(row["held"]))))


def _named(function: str, column: str, name: str) -> exp.Expr:
    call = exp.Anonymous(this=function, expressions=[exp.column(column, quoted=True)])
    return exp.alias_(call, name)


def _names(values: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(sorted(value.decode() for value in values))


def _checksum(rows: pa.Table) -> str:
    digest = hashlib.sha256()
    for name in ("event_id", "time", "ingested_at", "source", *TEXTS):
        digest.update("".join(f"{value}\n" for value in rows[name].to_pylist()).encode())
    return digest.hexdigest()


def _joined(checksums: Sequence[Any]) -> str:
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()
