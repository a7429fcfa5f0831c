"""A source: a sender of records as the operator knows it, with its ledger."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SourceLedger:
    """Counts that add up: ``received = stored + quarantined + waiting``.

    ``unrecognized`` are stored events no mapping claimed. ``first_seen``/``last_seen`` are event
    times, ``last_received`` the wall clock.
    """

    name: str
    tenant: str
    received: int
    stored: int
    quarantined: int
    unrecognized: int
    received_bytes: int
    first_seen: datetime | None
    last_seen: datetime | None
    last_received: datetime | None
    lanes: tuple[str, ...] = ()
    silent_since: datetime | None = None
    expected_interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """An unreadable record as it is kept; ``digest`` finds its bytes in the blob store."""

    id: str
    source: str
    place: str
    ordinal: int
    reason: str
    size_bytes: int
    digest: str
    excerpt: str
    received_at: datetime
    tenant: str = "default"
