"""Copies all events to another engine, segment by segment, and compares what arrived."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from tocsin.app.home.history import lanes_by_id
from tocsin.app.home.stores import MOVING, Stores, open_events
from tocsin.model.event import EventBatch
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import Damage, EventStore, ReplayQuery, Segment, StateStore, StoreError
from tocsin.store.tables import event_fields, segment_facts, segments

_WRITE_ROWS = 100_000
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MovedEvents:
    """How many events arrived, and what they add up to, whatever their order."""

    segments: int
    events: int
    checksum: str


def copy_events(home: Path, state: StateStore, wanted: Stores, on_progress: Told) -> MovedEvents:
    """All events of the data folder to the engine ``wanted`` names; the old ones stay.

    What has arrived is kept account of in the folder ``.moving``: a move that was cut short goes
    on. At the end one transaction makes the new segments count. Raises StoreError when a part of
    the old store can't be read, or when what arrived is not what was sent.
    """
    account = SqliteState(home / MOVING / "account.sqlite")
    try:
        if _has_counted(state, account):
            return MovedEvents(*_totals(account), "")
        source = open_events(home, state)
        try:
            target = open_events(home, account, wanted)
            try:
                moved = _copy_all(source, target, account, on_progress)
            finally:
                target.close()
        finally:
            source.close()
        _let_count(state, account)
    finally:
        account.close()
    return moved


def end_move(home: Path) -> None:
    """Forget the account of a move that is done."""
    shutil.rmtree(home / MOVING)


def _copy_all(
    source: EventStore, target: EventStore, account: StateStore, on_progress: Told
) -> MovedEvents:
    listed = source.segments(None, None)
    with account.read() as tx:
        done = {row.rpartition("-")[0] for row in tx.execute(select(segments.c.id)).scalars()}
    total = sum(one.rows for one in listed)
    arrived = 0
    checksum = 0
    for segment in listed:
        sent = _Sum()
        if segment.id not in done:
            _copy(source, target, account, segment, sent)
        else:
            for batch in _batches(source, frozenset({segment.id})):
                sent.add(batch)
        found = _Sum()
        with account.read() as tx:
            ids = [
                one
                for one in tx.execute(select(segments.c.id)).scalars()
                if one.rpartition("-")[0] == segment.id
            ]
        for batch in _batches(target, frozenset(ids)):
            found.add(batch)
        if (sent.events, sent.total) != (found.events, found.total) or sent.events != segment.rows:
            raise StoreError(
                f"segment {segment.id}: {segment.rows} events were to be moved, {sent.events} "
                f"were sent and {found.events} arrived, or not as they were; nothing was changed"
            )
        arrived += found.events
        checksum = (checksum + found.total) % (1 << 256)
        on_progress(arrived, total)
    return MovedEvents(len(listed), arrived, f"{checksum:064x}")


def _copy(
    source: EventStore,
    target: EventStore,
    account: StateStore,
    segment: Segment,
    sent: "_Sum",
) -> None:
    """One segment, in as many writes as it takes; noted all at once."""
    written: list[Segment] = []
    waiting: list[EventBatch] = []
    for batch in _batches(source, frozenset({segment.id})):
        sent.add(batch)
        waiting.append(batch)
        if sum(map(len, waiting)) >= _WRITE_ROWS:
            written.append(_write(target, waiting, segment, len(written)))
            waiting = []
    if waiting:
        written.append(_write(target, waiting, segment, len(written)))
    with account.begin() as tx:
        for one in written:
            target.publish(tx, one)


def _write(target: EventStore, batches: list[EventBatch], segment: Segment, number: int) -> Segment:
    made = target.write(batches)
    if made is None:
        raise StoreError(f"segment {segment.id}: no event of it could be written")
    return replace(made, id=f"{segment.id}-{number}")


def _batches(store: EventStore, ids: frozenset[str]) -> Iterator[EventBatch]:
    damages: list[Damage] = []
    wanted = ReplayQuery(segments=ids, batch_rows=20_000)
    yield from store.replay(wanted, lanes_by_id(()), damages.append)
    if damages:
        raise StoreError(f"{damages[0].reason}. Nothing was changed")


def _has_counted(state: StateStore, account: StateStore) -> bool:
    """True when an earlier move got as far as its last step but one."""
    with state.read() as tx, account.read() as noted:
        ids = select(segments.c.id)
        arrived = set(noted.execute(ids).scalars())
        return bool(arrived) and arrived == set(tx.execute(ids).scalars())


def _totals(account: StateStore) -> tuple[int, int]:
    with account.read() as tx:
        return len(manifest.paths(tx)), manifest.rows(tx)


def _let_count(state: StateStore, account: StateStore) -> None:
    """Put the new segments, their facts and fields in the place of the old, in one transaction."""
    with account.read() as tx:
        new = manifest.between(tx, None, None)
        known = {
            table: [dict(row._mapping) for row in tx.execute(select(table))]
            for table in (event_fields, segment_facts)
        }
    with state.begin() as tx:
        tx.execute(delete(segments))
        for segment in new:
            manifest.add(tx, segment)
        for table, rows in known.items():
            tx.execute(delete(table))
            if rows:
                tx.execute(insert(table), rows)


class _Sum:
    """Counts events and adds up what they hold, whatever their order and batches."""

    def __init__(self) -> None:
        self.events = 0
        self.total = 0

    def add(self, batch: EventBatch) -> None:
        rows = range(len(batch))
        envelope: list[list[Any]] = [
            column.to_pylist()
            for column in (
                batch.event_ids,
                batch.times,
                batch.ingested_at,
                batch.sources,
                batch.raw,
            )
        ]
        native, ocsf = batch.native_rows(rows), batch.ocsf_rows(rows)
        for row in rows:
            told = (
                *(column[row] for column in envelope),
                *(batch.tenant, batch.lane.id, _ordered(native[row]), _ordered(ocsf[row])),
            )
            digest = hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).digest()
            self.total = (self.total + int.from_bytes(digest)) % (1 << 256)
        self.events += len(batch)


def _ordered(value: Any) -> Any:
    """The value with names in order and without nulls; whole decimals as numbers."""
    if isinstance(value, dict):
        return [(name, _ordered(one)) for name, one in sorted(value.items()) if one is not None]
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    return value
