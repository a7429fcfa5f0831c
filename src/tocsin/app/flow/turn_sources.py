"""What one turn of the flow stored, source by source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ingest.sources.clock_skew import Clock, clock_of
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.model.event import EventBatch

UNKNOWN_PRODUCT = "unknown"
Key = tuple[str, str]


@dataclass(slots=True)
class OfSource:
    """What one turn stored of one source."""

    lanes: set[str] = field(default_factory=set)
    unrecognized: int = 0
    times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    received: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def times_us(self) -> npt.NDArray[np.int64]:
        """All event times, microseconds since 1970."""
        return np.concatenate(self.times) if self.times else np.empty(0, np.int64)

    def clock(self) -> Clock:
        """How its clock stands to ours."""
        if not self.times:
            return Clock()
        return clock_of(self.times_us(), np.concatenate(self.received))


def by_source(batches: Sequence[EventBatch]) -> dict[Key, OfSource]:
    """What each (tenant, source) sent, from all batches."""
    sent: dict[Key, OfSource] = {}
    for batch in batches:
        coded = batch.sources.dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False)
        times_us = batch.times.cast(pa.int64()).to_numpy(zero_copy_only=False)
        received_us = batch.ingested_at.cast(pa.int64()).to_numpy(zero_copy_only=False)
        for code, name in enumerate(coded.dictionary.to_pylist()):
            mine = codes == code
            chosen = times_us[mine]
            of_source = sent.setdefault((batch.tenant, name), OfSource())
            of_source.lanes.add(batch.lane.id)
            of_source.times.append(chosen)
            of_source.received.append(received_us[mine])
            if batch.lane.product == UNKNOWN_PRODUCT:
                of_source.unrecognized += len(chosen)
    return sent


def turns_of(
    batches: Sequence[EventBatch],
    received: Mapping[Key, int],
    received_bytes: Mapping[Key, int],
    quarantined: Mapping[Key, int],
) -> list[SourceTurn]:
    """For the book of sources what came of each (tenant, source) that sent something."""
    sent = by_source(batches)
    turns = []
    for key, count in received.items():
        of_source = sent.get(key, OfSource())
        times_us = of_source.times_us()
        turns.append(
            SourceTurn(
                source=key[1],
                tenant=key[0],
                received=count,
                stored=len(times_us),
                quarantined=quarantined.get(key, 0),
                unrecognized=of_source.unrecognized,
                received_bytes=received_bytes[key],
                first_time=moment_of(times_us.min()) if len(times_us) else None,
                last_time=moment_of(times_us.max()) if len(times_us) else None,
                lanes=of_source.lanes,
                times_us=times_us,
                clock=of_source.clock(),
            )
        )
    return turns


def moment_of(moment: np.int64) -> datetime:
    """Microseconds since 1970 as a time."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(moment))
