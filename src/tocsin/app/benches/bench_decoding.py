"""Decoding and normalizing as the flow does it, for benchmarks of detection."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tocsin.app.home.shipped import open_normalizer
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer

_TOGETHER = 50_000
"""Records normalized at once, as in the flow's turns."""


def make_decoder() -> Callable[[bytes], Sequence[EventBatch]]:
    """What makes events of records as they are sent; mappings are read once."""
    normalizer = open_normalizer()
    now = datetime.now(UTC)

    def events_in(payload: bytes) -> list[EventBatch]:
        return list(_in_turns(normalizer, split_lines(payload, "bench", now)))

    return events_in


def batches_in(path: Path) -> Iterator[EventBatch]:
    """The events of a file or folder; what can't be read is left out."""
    items = read_paths([path], None, datetime.now(UTC))
    yield from _in_turns(open_normalizer(), (one for one in items if isinstance(one, RawBatch)))


def _in_turns(normalizer: Normalizer, parts: Iterable[RawBatch]) -> Iterator[EventBatch]:
    waiting: list[tuple[Decoded, Origin]] = []
    records = 0
    for part in parts:
        waiting.append(_decoded(part))
        records += len(waiting[-1][0].records)
        if records >= _TOGETHER:
            yield from normalizer.normalize_all(waiting)
            waiting, records = [], 0
    if records:
        yield from normalizer.normalize_all(waiting)


def _decoded(part: RawBatch) -> tuple[Decoded, Origin]:
    origin = Origin(
        source=part.source,
        received_at=part.received_at,
        spool=part.place,
        position=part.first_ordinal,
        place=part.place,
    )
    return decode(part), origin
