"""Segments that were not merged yet: what is known of them as soon as they are written."""

from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery
from tocsin.store.tables import segment_facts

USERS = ["root", 7, {"username": "system:admin"}, True]
"""One field, in each lane of another type."""
LANES = ["linux.sudo", "bsd.login", "kubernetes.audit", "flag.only"]


@pytest.fixture
def home(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=2)

    def write(*batches):
        segment = events.write(batches)
        with state.begin() as tx:
            events.publish(tx, segment)
        return segment

    yield events, state, write
    events.close()
    state.close()


def found(events, text):
    page = events.search(EventQuery(text))
    assert page.problems == ()
    return sorted(event.lane for event in page.events)


@pytest.mark.parametrize("is_merged", [False, True], ids=["young", "merged"])
def test_each_type_of_a_field_has_a_typed_place(home, make_batch, is_merged):
    events, _state, write = home
    for turn in range(1 + is_merged):
        batches = [
            make_batch([{"native": {"user": user}}] * 3, lane=lane, position=10 * turn + at)
            for at, (lane, user) in enumerate(zip(LANES, USERS, strict=True))
        ]
        write(*batches)
    if is_merged:
        assert events.merge_small() == 2
    (segment,) = events.segments(None, None)
    native = pq.ParquetFile(events._folder / segment.path).read()["native"].combine_chunks()
    assert native.field("value").null_count == len(native)
    times = 3 * (1 + is_merged)
    for text, lane in [
        ("native.user:root", "linux.sudo"),
        ("native.user:7", "bsd.login"),
        ("native.user.username:*admin", "kubernetes.audit"),
        ("native.user:true", "flag.only"),
    ]:
        assert found(events, text) == [lane] * times
    by_lane = {one.lane: one.native for one in events.search(EventQuery()).events}
    assert by_lane == {lane: {"user": user} for lane, user in zip(LANES, USERS, strict=True)}


@pytest.mark.parametrize(
    "text", ["native.only.here:x", "native.GUID:1", "user:bob", "lane:linux.sudo", "source:other"]
)
def test_a_segment_that_can_hold_no_match_is_not_looked_into(home, make_batch, text):
    events, _state, write = home
    has = {
        "native": {"only": {"here": "x"}, "GUID": 1},
        "ocsf": {"user.name": "bob", "actor.user.name": "bob"},
    }
    write(make_batch([has], lane="linux.sudo", source="other"))
    write(make_batch([{"native": {"only": {"there": "x"}}}], position=1))
    page = events.search(EventQuery(text))
    assert page.total == 1
    assert page.searched_segments == 1


def test_a_text_is_not_looked_for_where_a_field_is_an_object(home, make_batch):
    events, _state, write = home
    write(make_batch([{"native": {"user": {"username": "root"}}}] * 2))
    write(make_batch([{"native": {"user": "root"}}], position=1))
    page = events.search(EventQuery("native.user:root"))
    assert (page.total, page.searched_segments) == (1, 1)
    assert events.search(EventQuery("NOT native.user:root")).total == 2
    assert events.search(EventQuery("native.user:*")).total == 3
    assert events.search(EventQuery("native.user:*root*")).total == 3
    assert events.search(EventQuery("native.user.username:root")).total == 2
    write(make_batch([{"native": {"user": {}}}], position=2))
    write(
        make_batch([{"native": {"in": {"user": "root"}}}], position=3),
        make_batch([{"native": {"in": 1, "User": "root"}}], position=4),
    )
    assert events.search(EventQuery("native.user:root")).total == 1
    assert events.search(EventQuery("native.in.user:root")).total == 1
    assert events.search(EventQuery("native.User:root")).total == 1


def test_minutes_that_lie_within_are_counted_without_the_files(home, make_batch, noon):
    events, _state, write = home
    for turn in range(3):
        rows = [
            {"at": 7 * number + turn, "ocsf": {"severity_id": number % 3}} for number in range(99)
        ]
        write(make_batch(rows, position=turn))
    query = EventQuery(start=noon - timedelta(hours=50), end=noon + timedelta(minutes=5))
    before = events.histogram(query, 7)
    assert sum(one.count for one in before) == 129
    for path in events._folder.glob("*/*.parquet"):
        path.unlink()
    assert events.histogram(query, 7) == before


@pytest.mark.parametrize("is_merged", [False, True], ids=["young", "merged"])
@pytest.mark.parametrize("seconds", [(0, 0), (1, 59), (59, 1), (30, 30), (0, 17), (43, 0)])
@pytest.mark.parametrize("text", ["", "severity_id:1", "native.n:>50"])
def test_minutes_that_are_cut_are_looked_into(home, make_batch, noon, is_merged, seconds, text):
    events, _state, write = home
    moments = []
    for turn in range(2):
        rows = [
            {"at": 11 * n + turn, "ocsf": {"severity_id": n % 3}, "native": {"n": n}}
            for n in range(99)
        ]
        write(make_batch(rows, position=turn))
        wanted = {"": lambda n: True, "severity_id:1": lambda n: n % 3 == 1}.get(
            text, lambda n: n > 50
        )
        moments += [noon + timedelta(seconds=11 * n + turn) for n in range(99) if wanted(n)]
    if is_merged:
        assert events.merge_small() == 2
    start = noon - timedelta(days=3) + timedelta(seconds=seconds[0], minutes=2)
    end = noon + timedelta(minutes=9, seconds=seconds[1])
    told = events.histogram(EventQuery(text, start, end), 5)
    assert sum(one.count for one in told) == sum(start <= one < end for one in moments)
    for one in told:
        assert one.count == sum(one.start <= moment < one.end for moment in moments)
    late = EventQuery(
        text, noon + timedelta(minutes=2, seconds=seconds[0]), noon + timedelta(days=3)
    )
    told = events.histogram(late, 5)
    assert sum(one.count for one in told) == sum(late.start <= one for one in moments)


def test_facts_go_with_their_segment_and_stay_when_it_moves(home, make_batch):
    events, state, write = home
    first = write(make_batch([{}]))
    write(make_batch([{}], position=1))

    def known():
        with state.read() as tx:
            return {row.segment_id for row in tx.execute(segment_facts.select())}

    assert known() == {one.id for one in events.segments(None, None)}
    with state.begin() as tx:
        (stored,) = [one for one in manifest.between(tx, None, None) if one.id == first.id]
        assert manifest.swap(tx, [stored], stored)
    assert first.id in known()
    assert events.merge_small() == 2
    assert known() == {one.id for one in events.segments(None, None)}
    assert len(known()) == 1
