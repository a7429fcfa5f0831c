"""Reads what waits in the spool for the flow: decoded and normalized, one turn ahead of it."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.ingest.records.audit_groups import first_unfinished
from tocsin.ingest.sources.quarantine import Aside, asides_of
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import SpoolEntry, WorkQueue

WAIT_S = 0.5
"""So long the beginning of an audit event waits for its end, counted from when it came."""
MOST_WAITING_BYTES = 4 << 20
"""Audit events that began further back than this do not wait."""


@dataclass(slots=True)
class Reading:
    """Spool entries and what they say; counts are by tenant and source."""

    entries: Sequence[SpoolEntry]
    batches: list[EventBatch] = field(default_factory=list)
    unreadable: list[Aside] = field(default_factory=list)
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    received_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)


class ReadingAhead:
    """While the flow evaluates, stores and commits a turn, the next full one is read in a thread.

    Reading depends on nothing but the entries and what the normalizer remembers of earlier ones,
    so what was read ahead holds whatever becomes of the turn before, and reading the same again
    comes to the same. Only this one thread normalizes.
    """

    def __init__(
        self, spool: WorkQueue, normalizer: Normalizer, decoding: DecodingAhead, batch_bytes: int
    ) -> None:
        self._spool = spool
        self._normalizer = normalizer
        self._decoding = decoding
        self._batch_bytes = batch_bytes
        self._started = datetime.now(UTC)
        self.waits = False
        """Whether the beginning of an audit event may wait for its end; said by who runs on."""
        self._is_waiting = False
        self.is_full = False
        """Whether so much waited behind the turn begun last that it fills the next one."""
        self._thread = ThreadPoolExecutor(1, "tocsin-reading")
        self._ahead: tuple[int, Future[Reading]] | None = None

    def entries(self, start: int) -> Sequence[SpoolEntry]:
        """What waits behind ``start``, up to a turn's size.

        The beginning of an audit event stays in the spool, and what is behind it, until its end
        has come, for ``WAIT_S`` at most: what a system call did is told by several records.
        """
        found = list(self._spool.read(start, self._batch_bytes))
        whole = self._whole(found) if self.waits else len(found)
        self._is_waiting = whole < len(found)
        return found[:whole]

    def pause_s(self, longest_s: float) -> float:
        """How long to wait for more: not beyond the time at which what waits is taken as it is."""
        return min(longest_s, WAIT_S) if self._is_waiting else longest_s

    def _whole(self, found: Sequence[SpoolEntry]) -> int:
        """How many of ``found`` are to be read now."""
        is_full = sum(len(entry.batch.payload) for entry in found) >= self._batch_bytes
        now = found[-1].batch.received_at if is_full else datetime.now(UTC)
        first, behind_bytes = len(found), 0
        while first and behind_bytes < MOST_WAITING_BYTES:
            batch = found[first - 1].batch
            came = batch.received_at if is_full else max(batch.received_at, self._started)
            if not 0 <= (now - came).total_seconds() < WAIT_S:  # below 0: the clock was set back
                break
            behind_bytes += len(batch.payload)
            first -= 1
        at = first_unfinished([entry.batch for entry in found[first:]])
        if at is None or (is_full and first + at == 0):
            return len(found)
        return first + at

    def begin(self, start: int) -> None:
        """Read what waits behind ``start`` meanwhile, once it fills a turn.

        What is less is left to grow until the next turn takes it.
        """
        self.is_full = self._waiting_bytes(start) >= self._batch_bytes
        if self.is_full and (self._ahead is None or self._ahead[0] != start):
            self._ahead = start, self._thread.submit(lambda: self._read(self.entries(start)))

    def _waiting_bytes(self, start: int) -> int:
        return self._spool.committed() + self._spool.backlog_bytes() - start

    def read(self, entries: Sequence[SpoolEntry]) -> Reading:
        """Read these entries now."""
        return self._thread.submit(self._read, entries).result()

    def normalize(self, parts: Sequence[tuple[Decoded, Origin]]) -> list[EventBatch]:
        """Normalize records that are not in the spool."""
        return self._thread.submit(self._normalizer.normalize_all, parts).result()

    def taken(self, start: int) -> Reading | None:
        """What was read ahead behind ``start``; None when nothing was, or it failed."""
        if self._ahead is None:
            return None
        (begun_at, reading), self._ahead = self._ahead, None
        if reading.exception() is not None or begun_at != start:
            return None
        return reading.result() if reading.result().entries else None

    def close(self) -> None:
        self._thread.shutdown()

    def _read(self, entries: Sequence[SpoolEntry]) -> Reading:
        reading = Reading(entries)
        parts: list[tuple[Decoded, Origin]] = []
        taken = self._decoding.taken([entry.batch for entry in entries])
        for entry, decoded in zip(entries, taken, strict=True):
            raw = entry.batch
            key = (raw.tenant, raw.source)
            reading.received[key] += len(decoded.records) + len(decoded.unreadable)
            reading.received_bytes[key] += len(raw.payload)
            reading.unreadable += asides_of(raw, decoded.unreadable)
            if not decoded.records:
                continue
            origin = Origin(
                source=raw.source,
                received_at=raw.received_at,
                spool=self._spool.id,
                position=entry.position,
                tenant=raw.tenant,
                place=raw.place,
                connector=raw.connector,
            )
            parts.append((decoded, origin))
        reading.batches = self._normalizer.normalize_all(parts)
        return reading
