"""How far each source has come in event time, by the lateness it has shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.ordered_runs import Times
from tocsin.model.event import EventBatch

NEVER = np.iinfo(np.int64).min // 4
FOREVER = np.iinfo(np.int64).max // 4
_BUCKETS = 48
_QUANTILE = 0.999
_DECAY_AT = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """A source's latest event time and how late its events came behind it (µs, by powers of 2).

    ``heard_at`` is the wall clock when it last had events.
    """

    latest: int
    heard_at: int
    delays: tuple[int, ...] = (0,) * _BUCKETS

    def lateness(self) -> int:
        """What 99.9 % of its events keep to, in µs."""
        counts = np.array(self.delays)
        total = counts.sum()
        if not total:
            return 0
        bucket = int(np.searchsorted(np.cumsum(counts), _QUANTILE * total))
        return 0 if bucket == 0 else 1 << bucket

    def reached(self, now: int, limits: Limits) -> int:
        """Its watermark: an idle source goes on at the pace of the wall clock."""
        late = self.lateness()
        if limits.lateness is not None:
            late = min(late, micros(limits.lateness))
        return self.latest - late + max(0, now - self.heard_at - micros(limits.idle))


@dataclass(frozen=True, slots=True)
class Progress:
    """Every source's progress, and what is outdated beside the others."""

    sources: Mapping[str, SourceProgress] = field(default_factory=dict)

    def seen(self, batch: EventBatch, limits: Limits) -> "Progress":
        """With a batch taken in; its wall clock is filled in by ``heard``."""
        if not len(batch):
            return self
        times: Times = batch.times.cast(pa.int64()).to_numpy()
        ceiling: Times = batch.ingested_at.cast(pa.int64()).to_numpy() + micros(limits.ahead)
        sane = times <= ceiling
        encoded = batch.sources.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        sources = dict(self.sources)
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            chosen = sane if len(encoded.dictionary) == 1 else sane & (codes == code)
            mine = times if chosen.all() else times[chosen]
            old = sources.get(str(name)) or SourceProgress(NEVER, NEVER)
            new = _with_times(old, mine) if len(mine) else old
            sources[str(name)] = replace(new, heard_at=FOREVER)
        return Progress(sources)

    def heard(self, now: int) -> "Progress":
        """What was taken in since the last time was heard now."""
        return Progress(
            {
                name: replace(one, heard_at=now) if one.heard_at == FOREVER else one
                for name, one in self.sources.items()
            }
        )

    def watermark(self, now: int, limits: Limits) -> int:
        """How far all sources have come.

        A source further behind the foremost than events may be late holds up no one.
        """
        reached = [one.reached(now, limits) for one in self.sources.values() if one.latest > NEVER]
        if not reached:
            return NEVER
        if limits.lateness is None:
            return min(reached)
        least = max(reached) - micros(limits.lateness)
        return min(one for one in reached if one >= least)


def micros(span: timedelta) -> int:
    """A timedelta in whole microseconds."""
    return span // timedelta(microseconds=1)


def _with_times(old: SourceProgress, times: Times) -> SourceProgress:
    foremost = np.maximum(np.maximum.accumulate(times), old.latest)
    behind = foremost - times
    delays = np.array(old.delays)
    if int(behind.max()) == 0:
        delays[0] += len(times)
    else:
        exponent = np.frexp(behind.astype(np.float64))[1]
        delays += np.bincount(np.clip(exponent, 0, _BUCKETS - 1), minlength=_BUCKETS)
    if delays.sum() > _DECAY_AT:
        delays = delays // 2
    counts = tuple(int(count) for count in delays)
    return SourceProgress(int(foremost[-1]), old.heard_at, counts)
