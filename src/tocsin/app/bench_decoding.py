"""Decoding and normalizing as the flow does it, for benchmarks of detection."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tocsin.app.shipped import open_normalizer
from tocsin.ingest.decode import decode
from tocsin.ingest.files import read_paths
from tocsin.ingest.lines import split_lines
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch, Unreadable
from tocsin.normalize.normalizer import Normalizer


def make_decoder() -> Callable[[bytes], Sequence[EventBatch]]:
    """What makes events of records as they are sent; mappings are read once."""
    normalizer = open_normalizer()
    now = datetime.now(UTC)

    def events_in(payload: bytes) -> list[EventBatch]:
        parts = split_lines(payload, "bench", now)
        return [batch for part in parts for batch in _events(part, normalizer)]

    return events_in


def batches_in(path: Path) -> Iterator[EventBatch]:
    """The events of a file or folder; what can't be read is left out."""
    normalizer = open_normalizer()
    for item in read_paths([path], None, datetime.now(UTC)):
        if not isinstance(item, Unreadable):
            yield from _events(item, normalizer)


def _events(part: RawBatch, normalizer: Normalizer) -> Sequence[EventBatch]:
    decoded = decode(part)
    if not decoded.records:
        return ()
    origin = Origin(
        source=part.source,
        received_at=part.received_at,
        spool=part.place,
        position=part.first_ordinal,
        place=part.place,
    )
    return normalizer.normalize(decoded, origin)
