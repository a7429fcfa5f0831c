"""How often a source sends, learned from the gaps between its events.

What counts is where the time goes, not how many gaps there are: a backup job that writes a
thousand lines once a day spends its time in day-long gaps. So the gaps are kept as a histogram
of time by length (powers of two), and the expected interval is the gap length below which
95 % of the observed time was spent. A length seen only once is an outage, not a habit.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_GAPS = 5
"""Fewer gaps than this say nothing."""
_TIME_SHARE = 0.95
_MEMORY_S = 60 * 86_400.0
_FORGET = 0.5
_HOUR_BUCKET = 11
"""Gaps up to 4095 s."""
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_MICRO = 1_000_000

Gaps = dict[str, list[float]]
"""Bucket (floor of log2 of the gap in seconds) → number of gaps, seconds in them, longest."""


def believable(moment: datetime, now: datetime) -> bool:
    """False for the year 1601 and for the day after tomorrow: such times teach nothing."""
    return _EARLIEST <= moment <= now + timedelta(days=1)


def learn(gaps: Gaps, gaps_s: NDArray[np.float64] | Sequence[float]) -> Gaps:
    """``gaps`` with more of them taken in; when it is full, the older half fades."""
    learned = {bucket: list(values) for bucket, values in gaps.items()}
    lengths = np.asarray(gaps_s, dtype=np.float64)
    lengths = lengths[lengths > 0]
    if not len(lengths):
        return learned
    buckets = np.floor(np.log2(np.maximum(lengths, 1e-3))).astype(int)
    for bucket in np.unique(buckets):
        chosen = lengths[buckets == bucket]
        count, seconds, longest = learned.get(str(bucket), [0.0, 0.0, 0.0])
        learned[str(bucket)] = [
            count + len(chosen),
            seconds + float(chosen.sum()),
            max(longest, float(chosen.max())),
        ]
    if sum(seconds for _, seconds, _ in learned.values()) > _MEMORY_S:
        learned = {
            bucket: [count * _FORGET, seconds * _FORGET, longest]
            for bucket, (count, seconds, longest) in learned.items()
        }
    return learned


def expected_interval_s(gaps: Gaps) -> float | None:
    """The gap length within which 95 % of the time passed; None while too little is known."""
    habits = {int(bucket): values for bucket, values in gaps.items() if values[0] >= 2}
    if sum(count for count, _, _ in habits.values()) < FEWEST_GAPS:
        return None
    whole = sum(seconds for _, seconds, _ in habits.values())
    passed = 0.0
    for _, (_, seconds, longest) in sorted(habits.items()):
        passed += seconds
        if passed >= _TIME_SHARE * whole:
            return longest
    return None


def active_interval_s(gaps: Gaps) -> float | None:
    """The same of the time in which it sends: pauses of more than an hour are left out."""
    within = {bucket: values for bucket, values in gaps.items() if int(bucket) <= _HOUR_BUCKET}
    return expected_interval_s(within)


def gaps_after(
    last_seen: datetime | None,
    times_us: NDArray[np.int64] | None,
    first_time: datetime,
    last_time: datetime,
    count: int,
) -> NDArray[np.float64]:
    """Seconds between the events of a batch, and between them and ``last_seen`` before.

    ``times_us`` are the event times in microseconds since 1970 in any order; without them the
    events are taken as evenly spread. What is older than ``last_seen`` came late and makes no gap.
    """
    if times_us is None:
        first, last = to_micros(first_time), to_micros(last_time)
        times_us = np.linspace(first, last, max(1, min(count, 10_000))).astype(np.int64)
    moments = np.sort(times_us)
    if last_seen is not None:
        before = to_micros(last_seen)
        moments = np.concatenate([[before], moments[moments > before]])
    return np.diff(moments) / _MICRO


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def from_micros(micros: Any) -> datetime:
    """The moment ``micros`` microseconds after 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))


def believable_times(times_us: NDArray[np.int64], now: datetime) -> NDArray[np.int64]:
    """Those of ``times_us`` that ``believable`` accepts."""
    latest = to_micros(now + timedelta(days=1))
    return times_us[(times_us >= to_micros(_EARLIEST)) & (times_us <= latest)]
