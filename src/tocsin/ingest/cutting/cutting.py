"""What every cutter of a long input into raw batches works with."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from tocsin.ingest.limits import BATCH_BYTES, BATCH_RECORDS, RECORD_BYTES
from tocsin.model.record import Framing, RawBatch, Unreadable

Cut = RawBatch | Unreadable
_NEWLINE = re.compile(rb"\n")
_NEWLINE_BYTE = ord("\n")


class ByteStream(Protocol):
    """Bytes one after another; ``read`` gives at most ``size``, nothing at the end."""

    def read(self, size: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Maker:
    """Knows where the input comes from, and makes batches that say so."""

    source: str
    place: str
    received_at: datetime
    tenant: str = "default"
    connector: str | None = None

    def batch(
        self, payload: bytes, first_ordinal: int, framing: Framing = Framing.LINES
    ) -> RawBatch:
        return RawBatch(
            source=self.source,
            payload=payload,
            received_at=self.received_at,
            framing=framing,
            place=self.place,
            first_ordinal=first_ordinal,
            tenant=self.tenant,
            connector=self.connector,
        )

    def unreadable(self, ordinal: int, reason: str, payload: bytes) -> Unreadable:
        return Unreadable(self.source, self.place, ordinal, reason, payload)

    def too_large(self, ordinal: int, payload: bytes) -> Unreadable:
        reason = f"record of {len(payload):,} bytes or more, over the {RECORD_BYTES:,} limit"
        return self.unreadable(ordinal, reason, payload)


def newlines_in(payload: bytes) -> int:
    """How many newlines there are; in long payloads twice as fast as ``bytes.count``."""
    return int(np.count_nonzero(np.frombuffer(payload, np.uint8) == _NEWLINE_BYTE))


def line_groups(payload: bytes) -> Iterator[tuple[bytes, int]]:
    """``payload`` in groups of whole lines within the batch limits, with each group's line count.

    A single line longer than a batch stands alone.
    """
    at = 0
    while at < len(payload):
        end = len(payload)
        if end - at > BATCH_BYTES:
            end = payload.rfind(b"\n", at, at + BATCH_BYTES)
            if end < 0:
                end = payload.find(b"\n", at)
                end = len(payload) if end < 0 else end
        count = payload.count(b"\n", at, end) + 1
        if count > BATCH_RECORDS:
            newlines = _NEWLINE.finditer(payload, at, end)
            end = next(found.start() for n, found in enumerate(newlines, 1) if n == BATCH_RECORDS)
            count = BATCH_RECORDS
        yield payload[at:end], count
        at = end + 1


class Grouping:
    """Collects single records into batches of the right size."""

    def __init__(self, make: Callable[[bytes, int], RawBatch]) -> None:
        """``make`` gets the joined records and the first one's number, counted from 1."""
        self._make = make
        self._records: list[bytes] = []
        self._size_bytes = 0
        self._count = 0
        self.taken = 0

    def add(self, record: bytes) -> Iterator[RawBatch]:
        return self.add_joined(record, 1)

    def add_joined(self, records: bytes, count: int) -> Iterator[RawBatch]:
        """Several records at once, a newline between any two."""
        if self._size_bytes + len(records) > BATCH_BYTES or self._count + count > BATCH_RECORDS:
            yield from self.rest()
        self._records.append(records)
        self._size_bytes += len(records) + 1
        self._count += count
        self.taken += count

    def skip(self) -> Iterator[RawBatch]:
        """Count a record that goes elsewhere; what was collected before it is given first."""
        yield from self.rest()
        self.taken += 1

    def rest(self) -> Iterator[RawBatch]:
        if self._records:
            first = self.taken - self._count + 1
            yield self._make(b"\n".join(self._records), first)
            self._records, self._size_bytes, self._count = [], 0, 0
