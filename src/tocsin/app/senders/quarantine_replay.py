"""Tries quarantined records again: what a mended decoder can read now is stored, and leaves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from tocsin.app.access.audit import AuditLog
from tocsin.app.flow.flow import Flow
from tocsin.app.flow.turn_sources import OfSource, by_source
from tocsin.ingest.decode import decode
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.ingest.sources.quarantine import Quarantine, Waiting
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Origin
from tocsin.store.ports import BlobStore, StateStore

MOST_RECORDS = 2_000
"""Records tried in one go."""
_GO_BYTES = 8 << 20
_SHOWN = 20
_GONE = "its bytes are no longer in the blob store"
_log = structlog.get_logger()


@dataclass(slots=True)
class Replayed:
    """What one go came to. ``next_after`` is where to go on; None when all were tried."""

    tried: int = 0
    stored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    next_after: str | None = None

    @property
    def failed(self) -> int:
        """Records that still can't be read."""
        return self.tried - self.stored

    def as_json(self, left: int) -> dict[str, Any]:
        """For answers; ``left`` is what a replay would still try."""
        return {
            "tried": self.tried,
            "stored": self.stored,
            "failed": self.failed,
            "reasons": dict(self.reasons.most_common(_SHOWN)),
            "next_after": self.next_after,
            "left": left,
        }


class QuarantineReplay:
    """Decodes what is in quarantine once more, a bounded part at a time.

    A record's event id is made of its quarantine id, and it leaves the quarantine in the
    transaction that stores it: trying again stores nothing twice. What still fails stays, with
    its new reason.
    """

    def __init__(
        self,
        state: StateStore,
        blobs: BlobStore,
        sources: SourceBook,
        flow: Flow,
        audit: AuditLog,
    ) -> None:
        self._state = state
        self._blobs = blobs
        self._sources = sources
        self._flow = flow
        self._audit = audit
        self._quarantine = Quarantine()

    def waiting(self, source: str | None = None, since: datetime | None = None) -> int:
        """How many records a replay would try."""
        with self._state.read() as tx:
            return self._quarantine.count(tx, source, since)

    def go(
        self,
        *,
        by: str,
        now: datetime,
        after: str = "",
        source: str | None = None,
        since: datetime | None = None,
        size: int = MOST_RECORDS,
    ) -> Replayed:
        """Try up to ``size`` records behind ``after``, oldest first."""
        done = Replayed()
        with self._state.read() as tx:
            kept = self._quarantine.after(
                tx,
                self._blobs,
                after,
                source=source,
                since=since,
                size=size,
                limit_bytes=_GO_BYTES,
            )
        if not kept:
            return done
        done.tried, done.next_after = len(kept), kept[-1].id
        readable, failing = _decoded(kept)
        done.stored, refused = self._store(readable)
        failing += refused
        done.reasons.update(reason for _, reason in failing)
        told = f"{done.tried} tried, {done.stored} stored, {done.failed} still unreadable"
        named = {"action": "sources.replay", "subject": source or "all sources", "detail": told}
        with self._state.begin() as tx:
            for one, reason in failing:
                if reason[:1000] != one.reason:
                    self._quarantine.note_reason(tx, one.id, reason)
            self._audit.append(tx, actor=by, outcome="done", now=now, **named)
        return done

    def _store(
        self, readable: Sequence[tuple[Waiting, Decoded]]
    ) -> tuple[int, list[tuple[Waiting, str]]]:
        """Store them together; when something stumbles over one, it alone stays behind."""
        if not readable:
            return 0, []
        try:
            return self._take_again(readable), []
        except Exception as error:
            if len(readable) == 1:
                _log.exception("quarantined_record_fails", record=readable[0][0].id)
                return 0, [(readable[0][0], _failure(error))]
        half = len(readable) // 2
        first, refused = self._store(readable[:half])
        second, more = self._store(readable[half:])
        return first + second, refused + more

    def _take_again(self, readable: Sequence[tuple[Waiting, Decoded]]) -> int:
        ids = [one.id for one, _ in readable]

        def settle(tx: Connection, batches: Sequence[EventBatch]) -> None:
            if self._quarantine.take_out(tx, ids) != len(ids):
                raise RuntimeError("another replay has taken some of these records: try again")
            self._add_to_ledgers(tx, by_source(batches))

        batches = self._flow.read_again([(decoded, _origin(one)) for one, decoded in readable])
        self._flow.take_again(batches, settle)
        return len(ids)

    def _add_to_ledgers(self, tx: Connection, sent: dict[tuple[str, str], OfSource]) -> None:
        for (tenant, source), of_source in sent.items():
            self._sources.settle(
                tx,
                tenant=tenant,
                source=source,
                stored=len(of_source.times_us()),
                unrecognized=of_source.unrecognized,
                lanes=of_source.lanes,
            )


def _decoded(
    kept: Sequence[Waiting],
) -> tuple[list[tuple[Waiting, Decoded]], list[tuple[Waiting, str]]]:
    """Those that can be read now, and why the others can't."""
    readable: list[tuple[Waiting, Decoded]] = []
    failing: list[tuple[Waiting, str]] = []
    for one in kept:
        try:
            decoded = decode(one.raw)
        except Exception as error:
            failing.append((one, _failure(error)))
            continue
        if decoded.records:
            readable.append((one, decoded))
        else:
            failing.append((one, decoded.unreadable[0].reason if decoded.unreadable else _GONE))
    return readable, failing


def _failure(error: Exception) -> str:
    return f"Tocsin fails on this record ({type(error).__name__}: {error}); please report it"


def _origin(one: Waiting) -> Origin:
    raw = one.raw
    return Origin(
        source=raw.source,
        received_at=raw.received_at,
        spool=one.id,
        position=0,
        tenant=raw.tenant,
        place=raw.place,
        connector=raw.connector,
    )
