"""How many events there were over time, split by the most frequent values of any field."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tocsin.store.lucene import escaped, quoted
from tocsin.store.ports import EventStore
from tocsin.store.query import Bucket, EventQuery
from tocsin.store.stop_signal import StopSignal

MOST_VALUES = 6


@dataclass(frozen=True, slots=True)
class SplitHistogram:
    """``counts`` of each of ``values``, the most frequent first (case plays no part), by bucket.

    An event whose field has several values counts with each; ``others`` have none of the values
    but another, ``without`` have no value at all.
    """

    field: str
    buckets: tuple[Bucket, ...]
    values: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    others: tuple[int, ...]
    without: tuple[int, ...]


def split_histogram(
    events: EventStore, query: EventQuery, field: str, buckets: int, stop: StopSignal | None = None
) -> SplitHistogram:
    """Counts by time and value; raises ``QueryError`` for a field there is not."""
    whole = events.histogram(query, buckets, stop)
    if not whole:
        events.top_values(query, field, 1, stop)
        return SplitHistogram(field, (), (), (), (), ())
    fixed = replace(query, start=whole[0].start, end=whole[-1].end)
    found = [one.value for one in events.top_values(fixed, field, MOST_VALUES, stop)]
    known = [value.lower() for value in found]
    values = tuple(value for at, value in enumerate(found) if known.index(known[at]) == at)
    counts = tuple(
        _counts(events.histogram(with_value(fixed, field, value), buckets, stop), len(whole))
        for value in values
    )
    lacks = " AND ".join(f"NOT {_term(field, value)}" for value in values)
    rest = replace(fixed, text=_both(fixed.text, lacks)) if values else fixed
    lacking = replace(fixed, text=_both(fixed.text, f"NOT _exists_:{escaped(field)}"))
    without = _counts(events.histogram(lacking, buckets, stop), len(whole))
    left = _counts(events.histogram(rest, buckets, stop), len(whole))
    others = tuple(max(0, one - none) for one, none in zip(left, without, strict=True))
    return SplitHistogram(field, tuple(whole), values, counts, others, without)


def with_value(query: EventQuery, field: str, value: str) -> EventQuery:
    """The events of a query that have a value in a field."""
    return replace(query, text=_both(query.text, _term(field, value)))


def _term(field: str, value: str) -> str:
    return f"{escaped(field)}:{quoted(value)}"


def _both(text: str, clause: str) -> str:
    return f"({text}) AND {clause}" if text.strip() else clause


def _counts(found: Sequence[Bucket], length: int) -> tuple[int, ...]:
    """By bucket; a query that no part of the store can match has no buckets at all."""
    return tuple(one.count for one in found) or (0,) * length
