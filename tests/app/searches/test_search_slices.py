"""Slices take in every moment of the range exactly once, the newest first."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin.app.searches.search_slices import slice_plan
from tocsin.store.ports import Segment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_seconds = st.integers(0, 4_000_000_000)


def _segment(first: int, length: int, rows: int) -> Segment:
    start = EPOCH + timedelta(seconds=first)
    end = start + timedelta(seconds=length)
    return Segment("s", "s", rows, 1, start, end, (), (), "")


segments = st.builds(_segment, _seconds, st.integers(0, 10_000_000), st.integers(1, 9_000_000))


@given(st.lists(segments, min_size=1, max_size=20), st.integers(1, 60))
def test_slices_follow_on_each_other_from_the_newest(held: list[Segment], buckets: int) -> None:
    plan = slice_plan(held, None, None, buckets=buckets)
    assert plan.slices[0].end > max(one.last_time for one in held)
    assert plan.slices[-1].start == min(one.first_time for one in held)
    for newer, older in pairwise(plan.slices):
        assert older.end == newer.start
        assert older.start < older.end
    assert len(plan.edges) <= buckets + 1


@given(st.lists(segments, min_size=1, max_size=20), st.integers(1, 60))
def test_a_slice_lies_in_the_buckets_it_names(held: list[Segment], buckets: int) -> None:
    plan = slice_plan(held, None, None, buckets=buckets)
    for one in plan.slices:
        assert plan.edges[one.bucket] <= one.start
        assert one.end <= plan.edges[one.bucket + one.buckets]
        is_whole = (plan.edges[one.bucket], plan.edges[one.bucket + one.buckets]) == (
            one.start,
            one.end,
        )
        assert is_whole or one.buckets == 1


def test_much_is_cut_into_slices_that_grow() -> None:
    held = [_segment(hour * 3600, 3599, 500_000) for hour in range(240)]
    plan = slice_plan(held, None, None, buckets=60)
    lengths = [one.end - one.start for one in plan.slices]
    assert 20 < len(lengths) < 61
    assert lengths[0] < lengths[-2]


def test_one_odd_time_does_not_make_one_slice_of_all() -> None:
    held = [_segment(1_790_000_000 + hour * 3600, 3599, 500_000) for hour in range(240)]
    held.append(_segment(0, 3_900_000_000, 10))
    plan = slice_plan(held, None, None, buckets=60)
    assert len(plan.slices) > 20


def test_nothing_is_cut_of_nothing() -> None:
    assert slice_plan([], None, None, buckets=3).slices == ()
    held = [_segment(0, 10, 1)]
    assert slice_plan(held, EPOCH, EPOCH, buckets=3).slices == ()
