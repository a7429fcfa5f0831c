"""Keeps what a door has decoded to answer its sender, so that the flow need not decode it again."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from tocsin.ingest.decode import decode, decode_all, look_through
from tocsin.model.record import Decoded, Framing, RawBatch, Unreadable

LIMIT_BYTES = 128 << 20
"""So much that more than a full turn waits behind the one that is read ahead."""
SMALL_BYTES = 256 << 10
"""What columns cost whatever their number is most of what smaller bodies of objects cost."""
_RECORD_BYTES = 100
"""What a decoded record takes beside its text, about; so many short ones are not many."""
_Key = tuple[str, str, str, int, datetime, int]


class DecodingAhead:
    """Decoded batches on their way through the spool, by what they are; safe between threads.

    What is forgotten (more than ``limit_bytes`` of records wait) is decoded once more; what was
    kept is given only for the very same bytes. A door that waits for its sender's next body
    while this ``is_behind`` spares the flow that second decoding.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, tuple[RawBatch, Decoded]] = OrderedDict()
        self._bytes = 0

    @property
    def is_behind(self) -> bool:
        """Whether nearly as much waits for the flow as is kept."""
        return self._bytes > self._limit_bytes * 3 // 4

    def look(self, raw: RawBatch) -> tuple[int, list[Unreadable]]:
        """For a door: how many records there are, and what is unreadable.

        A small body of objects is looked through only: the flow decodes those of a turn together.
        """
        if (
            len(raw.payload) < SMALL_BYTES
            and raw.payload[:1] == b"{"
            and raw.framing is Framing.LINES
        ):
            return look_through(raw)
        decoded = self.decode(raw)
        return len(decoded.records), decoded.unreadable

    def decode(self, raw: RawBatch) -> Decoded:
        """Decode for a door; the flow will ask for the same batch with ``taken``."""
        decoded = decode(raw)
        with self._lock:
            self._forget(_key(raw))
            self._kept[_key(raw)] = (raw, decoded)
            self._bytes += _weight(raw, decoded)
            while self._bytes > self._limit_bytes:
                self._forget(next(iter(self._kept)))
        return decoded

    def forget(self, raws: Sequence[RawBatch]) -> None:
        """For a door: these were not kept, so the flow will never ask for them."""
        with self._lock:
            for raw in raws:
                self._forget(_key(raw))

    def taken(self, raws: Sequence[RawBatch]) -> list[Decoded]:
        """What was decoded of these batches, which is forgotten here, or what is decoded now."""
        found = [self._known(raw) for raw in raws]
        missing = decode_all([raw for raw, one in zip(raws, found, strict=True) if one is None])
        others = iter(missing)
        return [next(others) if one is None else one for one in found]

    def _known(self, raw: RawBatch) -> Decoded | None:
        with self._lock:
            known, decoded = self._kept.get(_key(raw), (None, None))
            if known is not None:
                self._forget(_key(raw))
        return decoded if known == raw else None

    def _forget(self, key: _Key) -> None:
        raw, decoded = self._kept.pop(key, (None, None))
        if raw is not None and decoded is not None:
            self._bytes -= _weight(raw, decoded)


def _weight(raw: RawBatch, decoded: Decoded) -> int:
    return len(raw.payload) + _RECORD_BYTES * len(decoded.records)


def _key(raw: RawBatch) -> _Key:
    size = len(raw.payload)
    return raw.tenant, raw.source, raw.place, raw.first_ordinal, raw.received_at, size
