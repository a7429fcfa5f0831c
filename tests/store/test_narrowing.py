"""What is known of merged segments changes how a search is answered, never the answer."""

from dataclasses import replace
from datetime import timedelta
from shutil import copyfile

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tocsin.store.engines.parquet import segment_merge
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_facts import SegmentFacts, facts_of
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

USERS = st.sampled_from([None, "bob", "Bob", "eve", "ÉVA", ""])
NATIVE = st.fixed_dictionaries(
    {},
    optional={
        "Kind": st.sampled_from([3, "3", "three", None]),
        "kind": st.integers(0, 3),
        "user": st.one_of(st.just("bob"), st.fixed_dictionaries({"name": st.just("bob")})),
        "tags": st.lists(st.sampled_from(["red", "blue"]), max_size=2),
        "none": st.just({}),
    },
)
EVENT = st.fixed_dictionaries(
    {
        "at": st.integers(0, 200_000),
        "native": NATIVE,
        "ocsf": st.fixed_dictionaries(
            {"user.name": USERS},
            optional={
                "process.cmd_line": st.sampled_from(["run a.exe", "RUN b.exe", "sleep"]),
                "dst_endpoint.port": st.integers(1, 3),
                "is_remote": st.booleans(),
                "x.rare": st.just("yes"),
                "severity_id": st.integers(0, 3),
            },
        ),
        "raw": st.sampled_from([None, None, b"a raw line of eve"]),
    }
)
SEGMENT = st.lists(st.tuples(st.sampled_from(["t.a", "t.b"]), EVENT), min_size=1, max_size=8)
FILTERS = [
    "",
    "user:bob",
    "NOT user:bob",
    "user:eve OR cmd:run*",
    "_exists_:user AND NOT _exists_:cmd",
    "eve",
    "exe bob",
    "native.Kind:3",
    "NOT native.Kind:3",
    "_exists_:native.none",
    "native.user.name:bob",
    "native.tags:red AND dst_port:[1 TO 2]",
    "NOT (native.never:x OR user:/b.b/)",
    "is_remote:true",
    "lane:t.a user:*",
    "source:sensor",
    "cmd:run*.exe",
]


@pytest.fixture(scope="module")
def open_pair(tmp_path_factory):
    """Opens two empty stores: one that merges by lane as soon as it can, one that never does."""
    opened = []
    empty = tmp_path_factory.mktemp("empty") / "state.db"
    SqliteState(empty).close()

    def open_both():
        folder = tmp_path_factory.mktemp("pair")
        for name, merge_at in (("merged", 2), ("as written", 1_000)):
            copyfile(empty, folder / f"{name}.db")
            state = SqliteState(folder / f"{name}.db")
            opened.append((ParquetEvents(folder / name, state, merge_at=merge_at), state))
        return opened[-2:]

    yield open_both
    for events, state in opened:
        events.close()
        state.close()


def fill(pair, segments, make_batch):
    for position, rows in enumerate(segments):
        for events, state in pair:
            batches = [
                make_batch([event], position=100 * position + number, lane=lane)
                for number, (lane, event) in enumerate(rows)
            ]
            segment = events.write(batches)
            with state.begin() as tx:
                events.publish(tx, segment)
    return pair[0][0].merge_small()


def answers(events, query):
    page = events.search(query)
    rest = events.search(replace(query, cursor=page.next_cursor))
    return (
        page.total,
        page.events,
        rest.events if page.next_cursor else (),
        {(one.value, one.count) for one in events.top_values(query, "user", 1_000)},
        {(one.value, one.count) for one in events.top_values(query, "is_remote", 1_000)},
        {(one.value, one.count) for one in events.top_values(query, "native.Kind", 1_000)},
    )


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    segments=st.lists(SEGMENT, min_size=2, max_size=4),
    texts=st.lists(st.sampled_from(FILTERS), min_size=2, max_size=3, unique=True),
    begin=st.sampled_from([None, 0, 50_000]),
    length=st.sampled_from([None, 90_000]),
    own_file=st.booleans(),
    oldest_first=st.booleans(),
)
def test_a_merged_store_gives_the_same_answers(
    open_pair, make_batch, noon, segments, texts, begin, length, own_file, oldest_first
):
    pair = open_pair()
    with pytest.MonkeyPatch.context() as patch:
        if own_file:
            patch.setattr(segment_merge.merge, "__defaults__", (1,))
        fill(pair, segments, make_batch)
    start = None if begin is None else noon + timedelta(seconds=begin)
    end = None if length is None else (start or noon) + timedelta(seconds=length)
    for text in texts:
        query = EventQuery(text, start, end, size=3, oldest_first=oldest_first)
        merged, plain = (answers(events, query) for events, _ in pair)
        assert merged == plain
        whole = EventQuery(text, noon, noon + timedelta(days=3))
        merged, plain = (events.histogram(whole, 10) for events, _ in pair)
        assert merged == plain


def test_segments_without_what_is_looked_for_are_not_opened(open_pair, make_batch, monkeypatch):
    monkeypatch.setattr(segment_merge.merge, "__defaults__", (1,))
    pair = open_pair()
    rows = [
        [("t.a", {"ocsf": {"user.name": "bob"}}), ("t.b", {"native": {"Only": {"here": 1}}})],
        [("t.a", {"ocsf": {"user.name": "eve"}}), ("t.b", {"native": {"Else": "x"}})],
    ]
    fill(pair, rows, make_batch)
    events = pair[0][0]
    assert len(events.segments(None, None)) == 2
    assert events.search(EventQuery("user:bob")).searched_segments == 1
    assert events.search(EventQuery("native.only.here:1")).searched_segments == 1
    assert events.search(EventQuery("native.Only.there:1")).searched_segments == 0
    assert events.search(EventQuery("user:mallory")).searched_segments == 0
    assert events.search(EventQuery("NOT user:bob")).searched_segments == 2


def test_a_column_with_too_many_values_is_looked_into(open_pair, make_batch, monkeypatch):
    monkeypatch.setattr("tocsin.store.engines.parquet.segment_facts.MOST_VALUES", 2)
    pair = open_pair()
    rows = [[("t.a", {"ocsf": {"user.name": f"u{n % 5}"}}) for n in range(6)] for _ in range(2)]
    fill(pair, rows, make_batch)
    events, _state = pair[0]
    segment = events.segments(None, None)[0]
    known = facts_of(pq.ParquetFile(events._folder / segment.path).read())
    assert SegmentFacts(known).columns["user_name"].counts is None
    assert events.search(EventQuery("user:u1")).total == 2
    assert [(one.value, one.count) for one in events.top_values(EventQuery(), "user", 1)] == [
        ("u0", 4)
    ]


def test_a_field_that_merging_stores_as_a_second_type_is_still_found(open_pair, make_batch):
    pair = open_pair()
    rows = [
        [("t.a", {"native": {"user": {"name": "bob"}}})],
        [("t.a", {"native": {"user": "bob"}}), ("t.a", {"native": {"user": "eve"}})],
    ]
    fill(pair, rows, make_batch)
    events = pair[0][0]
    assert len(events.segments(None, None)) == 1
    assert events.search(EventQuery("native.user.name:bob")).total == 1
    assert events.search(EventQuery("native.user:bob")).total == 1


def test_a_page_opens_only_segments_with_some_of_its_minutes(open_pair, make_batch, monkeypatch):
    events = two_lanes_apart(open_pair, make_batch, monkeypatch)
    opened = lanes_opened(monkeypatch)
    newest = events.search(EventQuery(size=8))
    assert [one.lane for one in newest.events] == ["t.b"] * 8
    assert newest.total == 18
    assert set(opened) == {("t.b",)}
    opened.clear()
    oldest = events.search(EventQuery(size=8, oldest_first=True))
    assert [one.lane for one in oldest.events] == ["t.a"] * 8
    assert set(opened) == {("t.a",)}


def test_an_event_that_was_shown_is_opened_where_it_lay(open_pair, make_batch, monkeypatch):
    events = two_lanes_apart(open_pair, make_batch, monkeypatch)
    newest, oldest = (events.search(EventQuery(oldest_first=one)).events for one in (False, True))
    assert newest == oldest[::-1]
    opened = lanes_opened(monkeypatch)
    assert [events.get(one.event_id) for one in newest] == list(newest)
    assert opened == [(one.lane,) for one in newest]


def test_a_page_is_filled_from_others_when_its_segment_is_damaged(
    open_pair, make_batch, monkeypatch
):
    events = two_lanes_apart(open_pair, make_batch, monkeypatch)
    (late,) = [one for one in events.segments(None, None) if one.lanes == ("t.b",)]
    (events._folder / late.path).write_bytes(b"no segment at all")
    page = events.search(EventQuery(size=4))
    assert [one.lane for one in page.events] == ["t.a"] * 4
    assert page.next_cursor is not None
    assert len(page.problems) == 1


def lanes_opened(monkeypatch):
    """Grows by the lanes of each segment that is asked."""
    opened = []
    rows = Scan.rows

    def noted(scan, build, segments=None, **others):
        opened.extend(one.lanes for one in (scan.segments if segments is None else segments))
        return rows(scan, build, segments, **others)

    monkeypatch.setattr(Scan, "rows", noted)
    return opened


def two_lanes_apart(open_pair, make_batch, monkeypatch):
    """A merged store with nine events of ``t.a``, and a day later nine of ``t.b``."""
    monkeypatch.setattr(segment_merge.merge, "__defaults__", (1,))
    pair = open_pair()
    early = [("t.a", {"at": number}) for number in range(9)]
    late = [("t.b", {"at": 90_000 + number}) for number in range(9)]
    fill(pair, [early[:4] + late[:4], early[4:] + late[4:]], make_batch)
    return pair[0][0]
