"""Time is cut so that about as many events lie between two cuts, whatever the segments."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.store.engines.parquet.time_slices import slice_edges

SPANS = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**9), st.integers(1, 10**6)).map(
        lambda one: (one[0], one[0] + one[1], one[2])
    ),
    min_size=1,
    max_size=8,
)


def test_an_even_segment_is_cut_evenly() -> None:
    assert slice_edges([(0, 99, 1000)], 250) == [25, 50, 75]
    assert slice_edges([(0, 99, 1000)], 5000) == []
    assert slice_edges([(0, 99, 500), (50, 149, 500)], 500) == [75]


def test_what_happened_at_once_stays_together() -> None:
    assert slice_edges([(5, 5, 10**6)], 10) == []


@settings(max_examples=200, deadline=None)
@given(SPANS, st.integers(1, 10**6))
def test_cuts_are_in_order_within_the_time_and_no_more_than_needed(
    spans: list[tuple[int, int, int]], most: int
) -> None:
    total = sum(events for _, _, events in spans)
    if total / most > 10_000:
        most = total // 10_000 + 1
    cuts = slice_edges(spans, most)
    edges = [min(first for first, _, _ in spans), *cuts, max(last for _, last, _ in spans) + 1]
    assert all(one < other for one, other in pairwise(edges))
    a_microsecond = sum(events / (last - first + 1) for first, last, events in spans)
    for start, end in pairwise(edges):
        inside = sum(
            events * max(0, min(end, last + 1) - max(start, first)) / (last - first + 1)
            for first, last, events in spans
        )
        assert inside <= most + a_microsecond + 1e-3 * total
