"""A source: a sender of records as the operator knows it, with its ledger."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.model.intake import Intake


@dataclass(frozen=True, slots=True)
class SourceLedger:
    """Counts that add up: ``received = stored + quarantined + duplicates + waiting``.

    ``waiting`` is in the spool; it is counted by ``app.source_ledgers``, 0 in the book itself.
    ``unrecognized`` are stored events no mapping claimed. ``first_seen``/``last_seen`` are event
    times, ``last_received`` the wall clock. Of the stored, ``ahead`` bore a time more than a
    minute after their receipt, ``late`` one more than an hour before it. ``advanced_at`` is when an
    event came that was newer than all before; ``missed`` are the events it usually would have sent
    since it fell silent, at the least (0: its pauses alone tell). ``tls_refused`` are connections
    to this listener on which no TLS came about. ``duplicates`` had an id that had come before, and
    are stored once. ``dropped`` never got
    here: the kernel had no room for them. ``owner`` is who looks after the sender. ``intake`` says
    how it is fetched; None for who sends by itself.
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
    ahead: int = 0
    late: int = 0
    dropped: int = 0
    owner: str = ""
    waiting: int = 0
    advanced_at: datetime | None = None
    missed: int = 0
    tls_refused: int = 0
    duplicates: int = 0
    intake: Intake | None = None


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """An unreadable record as it is kept; ``digest`` finds its bytes in the blob store.

    ``header`` is the digest of the header lines above it, empty where there are none.
    """

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
    framing: str = "lines"
    connector: str | None = None
    header: str = ""
