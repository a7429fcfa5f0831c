"""Events come back as they went in, once, and only when they were published."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tocsin.store.query import EventQuery

ALL = EventQuery()


def natives(events) -> list[dict]:
    found = events.search(EventQuery(oldest_first=True, size=1000)).events
    return [event.native for event in found]


def test_nothing_to_write_is_no_segment(events, make_batch):
    assert events.write([]) is None
    assert events.write([make_batch([])]) is None
    assert events.count() == 0
    assert events.search(ALL).events == ()


def test_an_event_comes_back_whole(events, store, make_batch, noon):
    batch = make_batch(
        [
            {
                "native": {"Image": "C:\\x.exe", "n": 5, "deep": {"a": [{"b": True}], "c": 1.5}},
                "ocsf": {"user.name": "Bob", "process.pid": 7, "x.labels": ["a", "b"]},
                "raw": b"\x00\xffraw",
            }
        ],
        lane="windows.sysmon",
        source="dc01",
        tenant="acme",
    )
    store(batch)
    (event,) = events.search(ALL).events
    assert event.event_id == batch.event_ids[0].as_py()
    assert (event.time, event.ingested_at) == (noon, noon + timedelta(hours=1))
    assert (event.tenant, event.source, event.lane) == ("acme", "dc01", "windows.sysmon")
    assert event.native == {"Image": "C:\\x.exe", "n": 5, "deep": {"a": [{"b": True}], "c": 1.5}}
    assert event.ocsf["user.name"] == "Bob"
    assert event.ocsf["process.pid"] == 7
    assert event.ocsf["x.labels"] == ["a", "b"]
    assert event.ocsf["class_uid"] == 1007
    assert event.raw == b"\x00\xffraw"
    assert events.get(event.event_id) == event


def test_an_unknown_id_finds_nothing(events, store, make_batch):
    store(make_batch([{}]))
    assert events.get("0198aaaa-0000-7000-8000-000000000000") is None
    assert events.get("no id' --\x00") is None


def test_what_is_not_published_is_not_there(events, state, make_batch):
    segment = events.write([make_batch([{}, {}])])
    assert events.count() == 0
    assert events.search(ALL).total == 0

    def publish_and_fail() -> None:
        with state.begin() as tx:
            events.publish(tx, segment)
            raise RuntimeError("the spool offset could not be moved")

    with pytest.raises(RuntimeError, match="spool offset"):
        publish_and_fail()
    assert events.count() == 0
    with state.begin() as tx:
        events.publish(tx, segment)
    assert events.count() == 2
    assert events.search(ALL).total == 2


def test_a_segment_says_what_it_holds(events, make_batch, noon):
    segment = events.write(
        [
            make_batch([{"at": 5}, {"at": -5}], lane="a.b", source="one"),
            make_batch([{"at": 60}], lane="c.d", source="two"),
        ]
    )
    assert segment.rows == 3
    assert segment.first_time == noon - timedelta(seconds=5)
    assert segment.last_time == noon + timedelta(seconds=60)
    assert segment.sources == ("one", "two")
    assert segment.lanes == ("a.b", "c.d")
    assert segment.size_bytes > 0


@pytest.mark.parametrize("year", [1601, 1969, 9999])
def test_far_away_times_are_kept(events, store, make_batch, year):
    far = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    store(make_batch([{"at": 0}, {"at": far}]))
    found = events.search(EventQuery(oldest_first=year < 2000, size=1)).events[0]
    assert found.time == far
    assert sum(bucket.count for bucket in events.histogram(ALL, 10)) == 2


def test_names_that_differ_by_case_only_are_all_kept(events, store, make_batch):
    rows = [
        {"native": {"SourceProcessGuid": "a", "SourceProcessGUID": "b", "sourceprocessguid": "c"}},
        {"native": {"SourceProcessGUID": "d", "in": {"Key": 1, "KEY": 2}}},
    ]
    store(make_batch(rows))
    assert natives(events) == [row["native"] for row in rows]
    for name, value in (("SourceProcessGuid", "a"), ("SourceProcessGUID", "d"), ("in.KEY", "2")):
        assert events.search(EventQuery(f"native.{name}:{value}")).total == 1


def test_a_field_may_have_another_type_in_another_batch(events, store, make_batch):
    values = [5, "five", 5.5, True, [5], [{"v": 5}], {"v": 5}, ["x"], [[1], [2]], {}]
    store(
        *(
            make_batch([{"at": n, "native": {"f": value}}], position=n)
            for n, value in enumerate(values)
        )
    )
    assert [native["f"] for native in natives(events)] == values
    assert events.search(EventQuery("native.f:five")).total == 1
    assert events.search(EventQuery("native.f.v:5")).total == 2


@pytest.mark.parametrize(
    "name", ["a b", "a.b", 'q"uote', "it's", "né", "-", "a\nb", "%s", "\x1f", "value"]
)
def test_odd_names_are_kept(events, store, make_batch, name):
    store(make_batch([{"native": {name: "x", "plain": 1}}, {"native": {"obj": {name: [name]}}}]))
    assert natives(events) == [{name: "x", "plain": 1}, {"obj": {name: [name]}}]


def test_arrow_types_no_json_has_are_kept(events, store, make_batch):
    batch = make_batch([{}])
    columns = {
        "u64": pa.array([2**64 - 1], pa.uint64()),
        "u8": pa.array([200], pa.uint8()),
        "f32": pa.array([1.5], pa.float32()),
        "dec": pa.array([Decimal("1.25")]),
        "when": pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
        "sec": pa.array([datetime(2026, 1, 1)], pa.timestamp("s")),  # noqa: DTZ001
        "bytes": pa.array([b"\x00\xff"]),
        "dict": pa.array(["x"]).dictionary_encode(),
        "big": pa.array(["x"], pa.large_string()),
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "void": pa.array([[None]]),
    }
    native = pa.RecordBatch.from_pydict(columns)
    fields = {name: getattr(batch, name) for name in batch.__slots__}
    store(type(batch)(**{**fields, "native": native}))
    assert natives(events) == [
        {
            "u64": 2**64 - 1,
            "u8": 200,
            "f32": 1.5,
            "dec": Decimal("1.25"),
            "when": datetime(2026, 1, 1, tzinfo=UTC),
            "sec": datetime(2026, 1, 1, tzinfo=UTC),
            "bytes": b"\x00\xff",
            "dict": "x",
            "big": "x",
            "map": [{"key": "k", "value": 1}],
            "void": [None],
        }
    ]


def test_an_ocsf_value_that_does_not_fit_its_column_is_kept(events, store, make_batch):
    store(make_batch([{"ocsf": {"process.pid": "seven", "user.name": ["a", "b"]}}]))
    (event,) = events.search(ALL).events
    assert event.ocsf["process.pid"] == "seven"
    assert event.ocsf["user.name"] == ["a", "b"]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def arrow_can_hold(record: dict) -> bool:
    try:
        return pa.array([record]).to_pylist() == [record]
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        return False


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    records=st.lists(
        st.dictionaries(NAMES, VALUES, max_size=4).filter(arrow_can_hold), min_size=1, max_size=4
    )
)
@example(records=[{"0": []}, {"\x1f": []}])
@example(records=[{"a": {"b": 1}}, {"a": {"\x1f": 2}}, {"a": {}}, {}])
def test_any_record_comes_back(events, state, make_batch, records):
    before = events.count()
    batches = [
        make_batch([{"native": record}], position=before + n) for n, record in enumerate(records)
    ]
    segment = events.write(batches)
    with state.begin() as tx:
        events.publish(tx, segment)
    for batch, record in zip(batches, records, strict=True):
        assert events.get(batch.event_ids[0].as_py()).native == without_nulls(record)
