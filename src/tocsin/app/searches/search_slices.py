"""Cuts a range of time into slices to be searched one after the other, the newest first."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.store.ports import Segment

_MICROSECOND = timedelta(microseconds=1)
_GROWTH = 2


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """Events in ``start <= time < end``, which are in ``buckets`` buckets from ``bucket`` on."""

    start: datetime
    end: datetime
    bucket: int
    buckets: int


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """The slices, newest first, and the edges of the buckets (one more than there are buckets)."""

    slices: tuple[TimeSlice, ...]
    edges: tuple[datetime, ...]


def slice_plan(
    segments: Sequence[Segment],
    start: datetime | None,
    end: datetime | None,
    *,
    buckets: int,
    first_rows: int = 250_000,
    most_rows: int = 4_000_000,
) -> SlicePlan:
    """Slices of about ``first_rows`` events, then of ever more up to ``most_rows``.

    An open range is that of the segments. A slice is one of whole buckets, or a part of one, so
    that counts by slice add up to counts by bucket.
    """
    if not segments:
        return SlicePlan((), ())
    first = start or min(segment.first_time for segment in segments)
    last = end or _after(max(segment.last_time for segment in segments))
    if first >= last:
        return SlicePlan((), ())
    edges = _edges(first, last, buckets)
    held = _rows_held(segments, edges)
    slices: list[TimeSlice] = []
    target = float(first_rows)
    upper, rows = len(edges) - 1, 0.0
    for bucket in reversed(range(len(edges) - 1)):
        is_heavy = held[bucket] > 2 * target
        if is_heavy and upper > bucket + 1:
            slices.append(
                TimeSlice(edges[bucket + 1], edges[upper], bucket + 1, upper - bucket - 1)
            )
            upper, rows = bucket + 1, 0.0
        rows += held[bucket]
        if is_heavy:
            parts = _parts(segments, edges[bucket], edges[bucket + 1], target)
            slices += [TimeSlice(*part, bucket, 1) for part in parts]
        elif rows >= target or bucket == 0:
            slices.append(TimeSlice(edges[bucket], edges[upper], bucket, upper - bucket))
        else:
            continue
        upper, rows = bucket, 0.0
        target = min(float(most_rows), target * _GROWTH)
    return SlicePlan(tuple(slices), edges)


def _after(moment: datetime) -> datetime:
    try:
        return moment + _MICROSECOND
    except OverflowError:
        return moment


def _edges(first: datetime, last: datetime, buckets: int) -> tuple[datetime, ...]:
    whole = (last - first) // _MICROSECOND
    width = max(1, -(-whole // buckets))
    return (*(first + _MICROSECOND * at for at in range(0, whole, width)), last)


def _rows_held(segments: Sequence[Segment], edges: Sequence[datetime]) -> list[float]:
    """About how many events each bucket has, taken to be spread evenly over their segment."""
    held = [0.0] * (len(edges) - 1)
    for segment in segments:
        span = max(segment.last_time - segment.first_time, _MICROSECOND)
        touched = bisect_right(edges, segment.first_time), bisect_right(edges, segment.last_time)
        for bucket in range(max(0, touched[0] - 1), min(len(held), touched[1])):
            over = min(edges[bucket + 1], _after(segment.last_time)) - max(
                edges[bucket], segment.first_time
            )
            if over > timedelta(0):
                held[bucket] += segment.rows * min(1.0, over / span)
    return held


def _parts(
    segments: Sequence[Segment], start: datetime, end: datetime, rows_each: float
) -> list[tuple[datetime, datetime]]:
    """A bucket cut where segments begin, newest part first."""
    inside = sorted(
        (one for one in segments if start < one.first_time < end),
        key=lambda one: one.first_time,
        reverse=True,
    )
    parts: list[tuple[datetime, datetime]] = []
    upper, rows = end, 0.0
    for segment in inside:
        rows += segment.rows
        if rows >= rows_each and segment.first_time < upper:
            parts.append((segment.first_time, upper))
            upper, rows = segment.first_time, 0.0
    return [*parts, (start, upper)]
