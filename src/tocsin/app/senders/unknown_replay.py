"""Maps stored events again that no mapping knew: what a mended one knows moves to its lane."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
from sqlalchemy import Connection

from tocsin.app.access.audit import AuditLog
from tocsin.app.flow.flow import Flow
from tocsin.app.flow.turn_sources import by_source
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import EventStore, ReplayQuery, Segment, StateStore

UNKNOWN_LANE = "unknown.record"
_BATCH_ROWS = 20_000


@dataclass(slots=True)
class Recognized:
    """What one go came to. ``next_after`` is where to go on; None when all were tried."""

    tried: int = 0
    recognized: int = 0
    next_after: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For answers."""
        return {
            "tried": self.tried,
            "recognized": self.recognized,
            "unknown": self.tried - self.recognized,
            "next_after": self.next_after,
        }


class UnknownReplay:
    """Tries stored events of the unknown lane once more, a segment at a time.

    What is known now keeps its event id, and takes the place of the unknown one in the transaction
    that takes that out: at no moment is an event there twice, or not at all.
    """

    def __init__(
        self,
        state: StateStore,
        events: EventStore,
        sources: SourceBook,
        flow: Flow,
        normalizer: Normalizer,
        audit: AuditLog,
    ) -> None:
        self._state = state
        self._events = events
        self._sources = sources
        self._flow = flow
        self._unknown = next(lane for lane in normalizer.lanes if lane.id == UNKNOWN_LANE)
        self._audit = audit

    def go(
        self,
        *,
        by: str,
        now: datetime,
        after: str = "",
        source: str | None = None,
        since: datetime | None = None,
    ) -> Recognized:
        """Try the events of the next segment behind ``after`` that has some."""
        done = Recognized()
        segment = self._next(after, source)
        if segment is None:
            return done
        done.next_after = segment.last_event_id
        known: list[EventBatch] = []
        for batch in self._stored(segment, since):
            chosen = _of_source(batch, source)
            done.tried += len(chosen)
            known += self._known_now(chosen)
        done.recognized = sum(len(batch) for batch in known)
        if known:
            self._move(known)
        told = f"{done.tried} unknown events tried, {done.recognized} recognized"
        named = {"action": "sources.recognize", "subject": source or "all sources", "detail": told}
        with self._state.begin() as tx:
            self._audit.append(tx, actor=by, outcome="done", now=now, **named)
        return done

    def _next(self, after: str, source: str | None) -> Segment | None:
        waiting = [
            one
            for one in self._events.segments(None, None)
            if UNKNOWN_LANE in one.lanes
            and one.last_event_id > after
            and (source is None or source in one.sources)
        ]
        return min(waiting, key=lambda one: one.last_event_id, default=None)

    def _stored(self, segment: Segment, since: datetime | None) -> Iterator[EventBatch]:
        wanted = ReplayQuery(
            received_from=since,
            lanes=frozenset({UNKNOWN_LANE}),
            segments=frozenset({segment.id}),
            batch_rows=_BATCH_ROWS,
        )
        return self._events.replay(wanted, lambda _: self._unknown, lambda _: None)

    def _known_now(self, batch: EventBatch) -> list[EventBatch]:
        """The events of ``batch`` that are known now, with the ids they had."""
        if not len(batch):
            return []
        before = batch.event_ids.to_pylist()
        parts = [_part(batch, row, before[row], record) for row, record in _records(batch)]
        stands_for = {
            event_id(origin.received_at, origin.spool, 0, 0): origin.spool for _, origin in parts
        }
        found = []
        for one in self._flow.read_again(parts):
            if one.lane.id != UNKNOWN_LANE:
                ids = [stands_for[identifier] for identifier in one.event_ids.to_pylist()]
                found.append(replace(one, event_ids=pa.array(ids, pa.string())))
        return found

    def _move(self, known: list[EventBatch]) -> None:
        ids = frozenset(name for batch in known for name in batch.event_ids.to_pylist())
        with self._events.withdrawing(ids) as withdraw:

            def settle(tx: Connection, batches: Sequence[EventBatch]) -> None:
                withdraw(tx)
                for (tenant, source), sent in by_source(batches).items():
                    self._sources.recognize(
                        tx,
                        tenant=tenant,
                        source=source,
                        count=len(sent.times_us()),
                        lanes=sent.lanes,
                    )

            self._flow.take_again(known, settle)


def _of_source(batch: EventBatch, source: str | None) -> EventBatch:
    if source is None:
        return batch
    names = batch.sources.cast(pa.string()).to_pylist()
    rows = pa.array([row for row, name in enumerate(names) if name == source], pa.int64())
    columns = ("sources", "event_ids", "times", "ingested_at", "native", "ocsf", "raw")
    return replace(batch, **{name: getattr(batch, name).take(rows) for name in columns})


def _records(batch: EventBatch) -> Iterator[tuple[int, dict[str, object]]]:
    return enumerate(batch.native_rows(range(len(batch))))


def _part(
    batch: EventBatch, row: int, identifier: str, record: dict[str, object]
) -> tuple[Decoded, Origin]:
    raw = batch.raw[row].as_py()
    line = raw if raw is not None else orjson.dumps(record, default=str)
    origin = Origin(
        source=str(batch.sources[row].as_py()),
        received_at=batch.ingested_at[row].as_py(),
        spool=identifier,
        position=0,
        tenant=batch.tenant,
    )
    kept = frozenset({0}) if raw is not None else frozenset()
    return Decoded([record], [line], [0], keep_raw=kept), origin
