"""Stored events come back as batches, with the very fields they went in with."""

from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.model.lane import Lane
from tocsin.store.ports import ReplayQuery

EVERYTHING = ReplayQuery()


def lane_of(lane_id):
    connector, _, shape = lane_id.partition(".")
    return Lane(connector, shape, product=connector)


def batches_of(events, wanted=EVERYTHING):
    damage = []
    found = list(events.replay(wanted, lane_of, damage.append))
    assert damage == []
    return found


def told(batches):
    """By event id all there is to say of each event."""
    found = {}
    for batch in batches:
        rows = range(len(batch))
        for row, native, ocsf in zip(
            rows, batch.native_rows(rows), batch.ocsf_rows(rows), strict=True
        ):
            found[batch.event_ids[row].as_py()] = (
                batch.lane,
                batch.tenant,
                batch.sources[row].as_py(),
                batch.times[row].as_py(),
                batch.ingested_at[row].as_py(),
                without_nulls(native),
                without_nulls(ocsf),
                batch.raw[row].as_py(),
            )
    return found


def without_nulls(value):
    """A null member of an object is as good as an absent one, in lists too."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(member) for member in value] if isinstance(value, list) else value


SHAPES = [
    {"n": 1, "text": "a"},
    {"n": "one", "list": [1, None], "Guid": "x"},
    {"GUID": "y", "empty": {}, "deep": {"a": {"b": [{"c": 1}, {"d": "d"}]}}},
    {"n": [1.5], "list": ["x", None], "guid": "z", "Guid": 5},
    {"n": {"k": True}, "GUID": {"in": {}}, "text": None},
    {},
    {"n": 2.5, "text": ["b"], "deep": {"a": [], "A": 1}},
    {"n": None, "list": [], "bytes": b"\x00\xff", "objects": [{}, None, {"a": [[1], []]}]},
]


@pytest.mark.parametrize("together", [True, False])
def test_every_shape_comes_back_as_it_went_in(events, store, make_batch, together):
    batches = [
        make_batch(
            [{"native": shape, "ocsf": {"user.name": "bob", f"x.f{n}": n}, "raw": b"raw"}],
            position=n,
            lane=f"t.{n % 2}",
            source=f"s{n % 3}",
            tenant=f"tenant{n % 2}",
        )
        for n, shape in enumerate(SHAPES * 3)
    ]
    if together:
        store(*batches)
    else:
        for batch in batches:
            store(batch)
        events.merge_small()
    assert told(batches_of(events)) == told(batches)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=4), st.binary()
)
KEYS = st.sampled_from(["a", "A", "b", "b\x1f", "value", "typed_value", "x.y", "é"])
SAME_KIND = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=3),
    st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=3),
)
VALUES = st.recursive(
    st.one_of(SCALARS, SAME_KIND),
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, max_size=3), st.lists(inner, min_size=1, max_size=1)
    ),
    max_leaves=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=12),
    names=st.frozensets(KEYS, max_size=3),
)
def test_any_records_come_back(open_events, make_batch, records, names):
    """Each event is a batch of its own, so that any two may differ in every type.

    Where only fields of some ``names`` are asked for, these come back as they do with all.
    """
    events, state = open_events()
    batches = [make_batch([{"native": one}], position=n) for n, one in enumerate(records)]
    with state.begin() as tx:
        events.publish(tx, events.write(batches))
    whole = told(batches_of(events))
    assert whole == told(batches)
    some = told(batches_of(events, ReplayQuery(native_fields={batches[0].lane.id: names})))
    for event_id, one in whole.items():
        assert only(some[event_id][5], names) == only(one[5], names)


def only(fields, names):
    return {name: value for name, value in fields.items() if name in names}


def test_batches_of_a_lane_are_gathered(events, store, make_batch):
    for n in range(12):
        store(
            make_batch([{"native": {"n": n}}, {"native": {"n": n}}], position=2 * n, lane="a.b"),
            make_batch([{"native": {f"f{n}": {"x": n}}}], position=2 * n + 1, lane="c.d"),
        )
    sizes = {(b.lane.id, len(b)) for b in batches_of(events, ReplayQuery(batch_rows=10))}
    assert sizes == {("a.b", 10), ("a.b", 4), ("c.d", 10), ("c.d", 2)}


def test_only_what_was_asked_for_comes_back(events, store, make_batch, noon):
    rows = [{"at": second, "native": {"n": second}} for second in range(10)]
    store(make_batch(rows, lane="a.b"), make_batch(rows, lane="c.d", tenant="acme", position=60))

    def numbers(**asked):
        found = batches_of(events, ReplayQuery(**asked))
        return sorted(
            (batch.lane.id, row["n"])
            for batch in found
            for row in batch.native_rows(range(len(batch)))
        )

    both = [("a.b", 3), ("a.b", 4), ("c.d", 3), ("c.d", 4)]
    start, end = noon + timedelta(seconds=3), noon + timedelta(seconds=5)
    assert numbers(start=start, end=end) == both
    assert numbers(start=start, end=end, lanes=frozenset({"c.d"})) == both[2:]
    assert numbers(start=start, end=end, without_lanes=frozenset({"c.d"})) == both[:2]
    assert numbers(start=start, end=end, tenants=frozenset({"acme"})) == both[2:]
    received = noon + timedelta(hours=1, seconds=30)
    assert numbers(start=start, end=end, received_from=received) == both[2:]
    assert numbers(start=start, end=end, received_until=received) == both[:2]
    assert numbers(start=noon + timedelta(days=1)) == []


def test_without_ocsf_native_fields_are_all_there(events, store, make_batch):
    store(make_batch([{"native": {"a": 1}, "raw": b"x"}, {"native": {"a": 2}}]))
    (batch,) = batches_of(events, ReplayQuery(with_ocsf=False))
    assert batch.native_rows([0, 1]) == [{"a": 1}, {"a": 2}]
    assert batch.ocsf.num_columns == 0
    assert batch.ocsf.num_rows == 2
    assert batch.raw.null_count == 2


def test_chosen_events_come_back_without_native_fields(events, store, make_batch):
    batch = make_batch([{"native": {"n": n}, "ocsf": {"user.name": f"u{n}"}} for n in range(5)])
    store(batch)
    chosen = frozenset(batch.event_ids.take([1, 3]).to_pylist())
    (found,) = batches_of(events, ReplayQuery(event_ids=chosen, with_native=False))
    assert found.native.num_columns == 0
    assert [row["user.name"] for row in found.ocsf_rows([0, 1])] == ["u1", "u3"]
    assert batches_of(events, ReplayQuery(event_ids=frozenset({"unknown"}))) == []


def test_segments_are_told_in_order_of_time(events, store, make_batch, noon):
    for n in (2, 0, 1):
        store(make_batch([{"at": 60 * n}], position=n))
    found = events.segments(noon, noon + timedelta(seconds=90))
    assert [segment.first_time for segment in found] == [noon, noon + timedelta(seconds=60)]
    assert sum(segment.rows for segment in events.segments(None, None)) == 3


def test_numbers_keep_their_size(events, store, make_batch):
    batch = make_batch([{"native": {"u": 1, "f": 1.5}}])
    native = pa.RecordBatch.from_pydict(
        {"u": pa.array([2**64 - 1], pa.uint64()), "f": pa.array([0.1], pa.float64())}
    )
    large = type(batch)(
        batch.lane,
        batch.sources,
        batch.tenant,
        batch.event_ids,
        batch.times,
        batch.ingested_at,
        native,
        batch.ocsf,
        batch.raw,
    )
    store(large)
    (found,) = batches_of(events)
    assert found.native_rows([0]) == [{"u": 2**64 - 1, "f": 0.1}]
