"""Counts events by what is known of whole segments, and by looking into the others."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial

import numpy as np
from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.narrowing import Narrowing
from tocsin.store.engines.parquet.segment_facts import Numbers, SegmentFacts
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.engines.parquet.value_index import ValueIndex
from tocsin.store.fields import Column
from tocsin.store.ports import Segment
from tocsin.store.query import TopValue

_MOST_LISTED = 20_000
"""Known values that are told to a query which counts the others."""


def counts_by_time(
    scan: Scan, narrowing: Narrowing, first: int, width: int, buckets: int
) -> dict[int, dict[int, int]]:
    """By number of the bucket and severity id (0 for none): events that match."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    to_open, to_open_at_ends = scan.segments, list[Segment]()
    cut = narrowing.cut_minutes()
    if first % build.MINUTE_US == 0 and width % build.MINUTE_US == 0:
        known = list(filter(narrowing.knows_minutes, scan.segments))
        to_open = [one for one in scan.segments if not narrowing.knows_minutes(one)]
        to_open_at_ends = [one for one in known if _has_any(narrowing, one, cut)]
        edges = (first + width * np.arange(buckets + 1, dtype=np.int64)) // build.MINUTE_US
        _add_minutes(counts, narrowing, known, edges)
    asked = [(to_open, exp.true()), (to_open_at_ends, build.in_minutes(cut))]
    for segments, where in asked:
        asking = partial(build.histogram, where=where, first=first, width=width)
        for number, severity, count in scan.rows(asking, segments):
            counts[number][severity] += count
    return {number: dict(by) for number, by in counts.items()}


def _has_any(narrowing: Narrowing, segment: Segment, of: list[int]) -> bool:
    if not of:
        return False
    minutes = narrowing.facts[segment.id].minutes[0]
    at = np.searchsorted(minutes, of)
    inside = at < len(minutes)
    return bool(np.any(minutes[at[inside]] == np.array(of, np.int64)[inside]))


def _add_minutes(
    counts: dict[int, Counter[int]], narrowing: Narrowing, known: list[Segment], edges: Numbers
) -> None:
    """Count the minutes wholly within the times asked for; buckets lie between ``edges``."""
    within = np.clip(edges, *narrowing.whole_minutes)
    sums: dict[int, Numbers] = {}
    for segment in known:
        for severity, (minutes, before) in narrowing.facts[segment.id].minutes_of.items():
            added = np.diff(before[np.searchsorted(minutes, within)])
            sums[severity] = sums[severity] + added if severity in sums else added
    for severity, events in sums.items():
        for number in np.flatnonzero(events).tolist():
            counts[number][severity] += int(events[number])


def top_values(
    scan: Scan, narrowing: Narrowing, index: ValueIndex, columns: list[Column], size: int
) -> list[TopValue]:
    """The most frequent values, by letters where they are equally frequent."""
    known: list[tuple[str, int]] = []
    to_open = scan.segments
    if len(columns) == 1 and isinstance(columns[0].value, exp.Column) and not columns[0].is_list:
        known, to_open = _known_values(scan, narrowing, index, columns[0].value.name)
    if not to_open:
        known.sort(key=lambda one: (-one[1], one[0]))
        return [TopValue(text, events) for text, events in known[:size]]
    if len(known) > _MOST_LISTED:
        known, to_open = [], scan.segments
    rows = scan.rows(
        lambda table: build.top_values(table, exp.true(), columns, size, known), to_open
    )
    return [TopValue(value, events) for value, events in rows]


def _known(scan: Scan, narrowing: Narrowing) -> tuple[Mapping[str, SegmentFacts], list[Segment]]:
    """Facts of segments all of whose events match, by id; and the other segments."""
    whole = {one.id: one for one in scan.segments if narrowing.is_whole(one)}
    known = {one: facts for one, facts in narrowing.facts.items() if one in whole}
    return known, [one for one in scan.segments if one.id not in known]


def _known_values(
    scan: Scan, narrowing: Narrowing, index: ValueIndex, name: str
) -> tuple[list[tuple[str, int]], list[Segment]]:
    facts, _ = _known(scan, narrowing)
    values_of = index.values_of(name, facts)
    counts: Counter[int] = Counter()
    for values in values_of.values():
        if values is not None:
            for number, count in zip(values.numbers.tolist(), values.counts.tolist(), strict=True):
                counts[number] += count
    del counts[0]  # null
    known = [(index.text(name, number), count) for number, count in counts.items()]
    return known, [one for one in scan.segments if values_of.get(one.id) is None]
