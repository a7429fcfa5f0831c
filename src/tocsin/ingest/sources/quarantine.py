"""Records set aside as unreadable, with what their bytes need to be read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, select, update

from tocsin.ingest.records.w3c import is_header
from tocsin.ingest.sources.tables import quarantine
from tocsin.ingest.syslog.syslog_escape import escape
from tocsin.model.record import Framing, RawBatch, Unreadable
from tocsin.store.ports import BlobStore

_HEADED = (Framing.ZEEK_TSV, Framing.W3C)


@dataclass(frozen=True, slots=True)
class Aside:
    """An unreadable record as it came: ``header`` are the lines above that name its fields."""

    tenant: str
    received_at: datetime
    item: Unreadable
    framing: Framing = Framing.LINES
    connector: str | None = None
    header: bytes = b""


def asides_of(raw: RawBatch, unreadable: Sequence[Unreadable]) -> list[Aside]:
    """What decoding a batch found unreadable, with what it takes to try once more."""
    if not unreadable:
        return []
    headers = _headers(raw, unreadable)
    return [
        Aside(raw.tenant, raw.received_at, item, raw.framing, raw.connector, header)
        for item, header in zip(unreadable, headers, strict=True)
    ]


def records_in(raw: RawBatch, reason: str) -> list[Unreadable]:
    """Every record of a batch as unreadable, without decoding any; counted as decoding does."""
    if raw.framing is Framing.FRAGMENT:
        return [Unreadable(raw.source, raw.place, raw.first_ordinal, reason, raw.payload)]
    lines = raw.payload.split(b"\n")
    top = _top(lines) if raw.framing in _HEADED else 0
    return [
        Unreadable(raw.source, raw.place, raw.first_ordinal + number, reason, line)
        for number, line in enumerate(lines[top:])
        if line.strip() and not (raw.framing in _HEADED and is_header(line))
    ]


def _headers(raw: RawBatch, unreadable: Sequence[Unreadable]) -> list[bytes]:
    """For each the header lines above it; a server that starts anew writes others."""
    if raw.framing not in _HEADED:
        return [b""] * len(unreadable)
    lines = raw.payload.split(b"\n")
    top = _top(lines)
    at = [number for number, line in enumerate(lines) if is_header(line)]
    return [
        b"\n".join(lines[n] for n in at if n < top + item.ordinal - raw.first_ordinal)
        for item in unreadable
    ]


def _top(lines: Sequence[bytes]) -> int:
    return next((n for n, line in enumerate(lines) if not is_header(line)), len(lines))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record in quarantine, ready to be decoded once more."""

    id: str
    reason: str
    raw: RawBatch


class Quarantine:
    """What is in quarantine, read in the order it came, so that it can be tried again."""

    def count(self, tx: Connection, source: str | None, since: datetime | None) -> int:
        """How many records of ``source`` (None: all) taken in at or after ``since`` are here."""
        query = select(func.count()).select_from(quarantine).where(*_asked(source, since))
        return int(tx.execute(query).scalar_one())

    def after(
        self,
        tx: Connection,
        blobs: BlobStore,
        last_id: str,
        *,
        source: str | None = None,
        since: datetime | None = None,
        size: int,
        limit_bytes: int,
    ) -> list[Waiting]:
        """Up to ``size`` records, and (but for the first) ``limit_bytes``, behind ``last_id``."""
        query = select(quarantine).where(quarantine.c.id > last_id, *_asked(source, since))
        found: list[Waiting] = []
        taken = 0
        for row in tx.execute(query.order_by(quarantine.c.id).limit(size)).mappings():
            taken += row["size_bytes"]
            if found and taken > limit_bytes:
                break
            found.append(Waiting(row["id"], row["reason"], _raw_of(row, blobs)))
        return found

    def take_out(self, tx: Connection, record_ids: Sequence[str]) -> int:
        """Remove records that are stored now; how many were still here."""
        if not record_ids:
            return 0
        return tx.execute(delete(quarantine).where(quarantine.c.id.in_(record_ids))).rowcount

    def note_reason(self, tx: Connection, record_id: str, reason: str) -> None:
        """Keep why a record still can't be read."""
        here = quarantine.c.id == record_id
        tx.execute(update(quarantine).where(here).values(reason=reason[:1000]))


def _asked(source: str | None, since: datetime | None) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if source is not None:
        asked.append(quarantine.c.source == source)
    if since is not None:
        asked.append(quarantine.c.received_at >= since)
    return asked


def _raw_of(row: RowMapping, blobs: BlobStore) -> RawBatch:
    """The record as a batch of its own; an empty payload when its bytes are gone."""
    framing = Framing(row["framing"])
    payload = blobs.get(row["digest"]) or b""
    if framing is Framing.SYSLOG:
        payload = escape(payload)
    header = blobs.get(row["header"]) if row["header"] else None
    return RawBatch(
        source=row["source"],
        payload=header + b"\n" + payload if header else payload,
        received_at=row["received_at"],
        framing=framing,
        place=row["place"],
        first_ordinal=row["ordinal"],
        tenant=row["tenant"],
        connector=row["connector"],
    )
