"""How the clocks of a source stand to ours: events ahead of their receipt, and events long past."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AHEAD_S = 60
"""An event that bears a time this much after its receipt is ahead: clocks differ by seconds."""
LATE_S = 3600
"""An event that was received this long after it happened is late."""
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """What one turn shows of a source's clock.

    ``ahead`` and ``late`` count events; ``ahead_s`` is how far the middle one of all events of
    the turn was ahead of its receipt, 0 when it was not, None without events. One odd date among
    right ones moves it nowhere.
    """

    ahead: int = 0
    late: int = 0
    ahead_s: float | None = None


def clock_of(times_us: NDArray[np.int64], received_us: NDArray[np.int64]) -> Clock:
    """``received_us`` is when each of the events was received; microseconds since 1970."""
    if not len(times_us):
        return Clock()
    early_us = times_us - received_us
    return Clock(
        ahead=int(np.count_nonzero(early_us > AHEAD_S * _MICRO)),
        late=int(np.count_nonzero(early_us < -LATE_S * _MICRO)),
        ahead_s=max(0.0, float(np.median(early_us)) / _MICRO),
    )
