"""What one turn of the flow took in of one source, as the book of sources is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tocsin.ingest.sources.clock_skew import Clock


@dataclass(frozen=True, slots=True)
class SourceTurn:
    """Counts of records, and when their events happened.

    ``first_time``/``last_time`` are event times. ``times_us`` (all event times of the turn,
    microseconds since 1970, any order) makes the learned cadence exact; without it the events
    are taken as evenly spread between the two.
    """

    source: str
    received: int
    stored: int
    quarantined: int
    unrecognized: int
    received_bytes: int
    first_time: datetime | None
    last_time: datetime | None
    lanes: Iterable[str]
    tenant: str = "default"
    times_us: NDArray[np.int64] | None = None
    clock: Clock = field(default_factory=Clock)

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and source."""
        return self.tenant, self.source

    @property
    def is_empty(self) -> bool:
        """True when nothing came."""
        return not (self.received or self.stored or self.quarantined)
