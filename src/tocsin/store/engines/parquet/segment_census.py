"""Counts what lies in each segment, by source and day of intake, and keeps the counts."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from sqlalchemy import Connection, delete, insert, select

from tocsin.store.keeping import Lot
from tocsin.store.ports import Segment, StateStore
from tocsin.store.tables import segment_census, segments

_log = structlog.get_logger()
_COLUMNS = ["tenant", "source", "time", "ingested_at"]
_AT_ONCE = 200
"""Segments counted before what is known is kept: a look that is cut short was not for nothing."""
_AT_A_TIME = 20
_FETCHED = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1)
_MICRO = timedelta(microseconds=1)


class Census:
    """Lots of each segment; a segment never changes, so each is counted once.

    What can't be read has no lots, and so nothing of it is ever due.
    """

    def __init__(self, folder: Path, state: StateStore) -> None:
        self._folder = folder
        self._state = state
        self._known: dict[str, tuple[Lot, ...]] = {}
        self._unreadable: set[str] = set()
        self._guard = threading.Lock()

    def lots(self, wanted: Sequence[Segment]) -> Mapping[str, tuple[Lot, ...]]:
        """By segment id; only those that still count and can be read."""
        with self._guard:
            missing = self._missing(wanted)
            for at in range(0, len(missing), _AT_ONCE):
                self._count(missing[at : at + _AT_ONCE])
            return dict(self._known)

    def count_some(self, wanted: Sequence[Segment], within_s: float) -> bool:
        """Count for about so long; True while some are left (what can't be read is not)."""
        until = time.monotonic() + within_s
        with self._guard:
            missing = [one for one in self._missing(wanted) if one.id not in self._unreadable]
            for at in range(0, len(missing), _AT_A_TIME):
                if time.monotonic() >= until:
                    return True
                self._count(missing[at : at + _AT_A_TIME])
            return False

    def _missing(self, wanted: Sequence[Segment]) -> list[Segment]:
        """Those that are not counted yet; what is known of others is forgotten."""
        ids = {segment.id for segment in wanted}
        self._known = {one: lots for one, lots in self._known.items() if one in ids}
        self._unreadable &= ids
        self._recall(wanted)
        return [segment for segment in wanted if segment.id not in self._known]

    def _recall(self, wanted: Sequence[Segment]) -> None:
        missing = {one.id: one for one in wanted if one.id not in self._known}
        ids = sorted(missing)
        with self._state.read() as tx:
            for at in range(0, len(ids), _FETCHED):
                asked = segment_census.c.segment_id.in_(ids[at : at + _FETCHED])
                for row in tx.execute(select(segment_census).where(asked)):
                    self._known[row.segment_id] = tuple(_lot(values) for values in row.lots)

    def _count(self, missing: Sequence[Segment]) -> None:
        counted: dict[str, tuple[Lot, ...]] = {}
        for segment in missing:
            try:
                counted[segment.id] = tuple(_counted(self._folder / segment.path, segment))
            except (OSError, pa.ArrowException, KeyError) as error:
                self._unreadable.add(segment.id)
                told = str(error).partition("\n")[0]
                _log.warning("segment_not_counted", segment=segment.path, reason=told)
        self._known |= counted
        with self._state.begin() as tx:
            _keep(tx, counted)


def _keep(tx: Connection, counted: Mapping[str, Sequence[Lot]]) -> None:
    """Note the lots of segments that still count, and forget those of segments that do not."""
    tx.execute(
        delete(segment_census).where(segment_census.c.segment_id.not_in(select(segments.c.id)))
    )
    ids = list(counted)
    counting = set(tx.execute(select(segments.c.id).where(segments.c.id.in_(ids))).scalars())
    noted = set(
        tx.execute(
            select(segment_census.c.segment_id).where(segment_census.c.segment_id.in_(ids))
        ).scalars()
    )
    rows = [
        {"segment_id": one, "lots": [_values(lot) for lot in lots]}
        for one, lots in counted.items()
        if one in counting - noted
    ]
    if rows:
        tx.execute(insert(segment_census), rows)


def _counted(path: Path, segment: Segment) -> Iterator[Lot]:
    if not path.is_file():  # a pipe in its place would be waited for
        raise FileNotFoundError(f"{path} is not a file")
    table = pq.ParquetFile(path).read(_COLUMNS)
    yield from lots_of(table, segment)


def lots_of(table: pa.Table, segment: Segment) -> Iterator[Lot]:
    """The lots of some rows of ``segment`` (its envelope columns), by source and day."""
    moments = {
        "time": table["time"].cast(pa.int64()),
        "received": table["ingested_at"].cast(pa.int64()),
    }
    groups = pa.table(
        {
            "tenant": table["tenant"].cast(pa.string()),
            "source": table["source"].cast(pa.string()),
            "day": table["ingested_at"].cast(pa.timestamp("us")).cast(pa.date32(), safe=False),
            **moments,
        }
    ).group_by(["tenant", "source", "day"])
    counted = groups.aggregate(
        [
            ([], "count_all"),
            ("time", "min"),
            ("time", "max"),
            ("received", "min"),
            ("received", "max"),
        ]
    ).sort_by([("day", "ascending"), ("tenant", "ascending"), ("source", "ascending")])
    for row in counted.to_pylist():
        yield Lot(
            tenant=row["tenant"],
            source=row["source"],
            day=row["day"],
            events=row["count_all"],
            size_bytes=round(segment.size_bytes * row["count_all"] / max(1, segment.rows)),
            first_time=_moment(row["time_min"]),
            last_time=_moment(row["time_max"]),
            first_received=_moment(row["received_min"]),
            last_received=_moment(row["received_max"]),
        )


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICRO


def _values(lot: Lot) -> list[Any]:
    moments = (lot.first_time, lot.last_time, lot.first_received, lot.last_received)
    day = (lot.day - _FIRST_DAY).days
    return [lot.tenant, lot.source, day, lot.events, lot.size_bytes, *map(_micros, moments)]


def _lot(values: Sequence[Any]) -> Lot:
    tenant, source, day, events, size_bytes, *moments = values
    first_time, last_time, first_received, last_received = map(_moment, moments)
    return Lot(
        *(tenant, source, _FIRST_DAY + timedelta(days=day), events, size_bytes),
        *(first_time, last_time, first_received, last_received),
    )
