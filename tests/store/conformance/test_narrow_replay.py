"""A replay of some fields gives of these what a replay of all gives."""

from datetime import timedelta

import pytest

from tests.store.conformance.test_replay import batches_of, told
from tocsin.store.ports import ReplayQuery

SHAPES = [
    {"n": 1, "text": "a", "deep": {"a": {"b": [{"c": 1}]}, "n": 1}},
    {"n": "one", "Guid": "x", "list": [{"a": 1}, {"b": "b"}]},
    {"GUID": "y", "deep": {}, "empty": {}},
    {"n": [1.5], "guid": "z", "Guid": 5, "deep": "flat", "deep.n": 2},
    {"n": {"k": True}, "text": None},
    {},
]


def natives(batches, names=None):
    """By event id the native fields, of these names alone where some are given."""
    return {
        event_id: {name: value for name, value in one[5].items() if names is None or name in names}
        for event_id, one in told(batches).items()
    }


ASKED = [{"n"}, {"GUID"}, {"deep", "deep.n"}, {"list", "text"}, {"absent"}, set()]


@pytest.mark.parametrize("together", [True, False])
def test_the_fields_that_are_asked_for_are_the_same(events, store, make_batch, together):
    batches = [
        make_batch([{"native": shape}], position=n, lane=f"t.{n % 2}")
        for n, shape in enumerate(SHAPES * 2)
    ]
    if together:
        store(*batches)
    else:
        for batch in batches:
            store(batch)
        events.merge_small()
    for names in ASKED:
        fields = dict.fromkeys(("t.0", "t.1"), frozenset(names))
        found = batches_of(events, ReplayQuery(native_fields=fields))
        assert natives(found, names) == natives(batches, names)
        assert sum(map(len, found)) == len(batches)


def test_what_is_not_asked_for_is_not_there(events, store, make_batch):
    store(make_batch([{"native": {"a": n, "b": "x", "c": {"d": 1}}} for n in range(3)], lane="t.0"))
    (batch,) = batches_of(events, ReplayQuery(native_fields={"t.0": frozenset({"b"})}))
    assert batch.native.schema.names == ["b"]
    assert batch.native_rows([0, 2]) == [{"b": "x"}, {"b": "x"}]


def test_of_a_lane_that_is_not_named_every_field_comes(events, store, make_batch):
    batches = [
        make_batch([{"native": {"a": 1, "b": 2}}], position=n, lane=lane, tenant=f"tenant{n}")
        for n, lane in enumerate(["t.0", "t.1", "t.0"])
    ]
    store(*batches)
    wanted = ReplayQuery(native_fields={"t.0": frozenset({"a"})})
    assert natives(batches_of(events, wanted), {"a"}) == natives(batches, {"a"})
    whole = [one for one in batches_of(events, wanted) if one.lane.id == "t.1"]
    assert natives(whole) == natives(batches[1:2])


def test_only_some_ocsf_columns_come_without_the_raw_record(events, store, make_batch):
    ocsf = {"user.name": "bob", "device.hostname": "pc1", "x.y": 5, "x.z": 6, "class_uid": 1007}
    store(make_batch([{"native": {"a": 1}, "ocsf": ocsf, "raw": b"raw"}]))
    names = frozenset({"user.name", "x.y", "absent"})
    (batch,) = batches_of(events, ReplayQuery(ocsf_fields=names))
    assert batch.ocsf_rows([0]) == [{"user.name": "bob", "x.y": 5}]
    assert batch.native_rows([0]) == [{"a": 1}]
    assert batch.raw.null_count == 1


def test_some_fields_of_a_part_of_the_time(events, store, make_batch, noon):
    """Row groups that lie within the time, across its bounds, and beside it."""
    for n in range(6):
        rows = [{"at": 60 * n + second, "native": {"a": second, "b": n}} for second in range(4)]
        lanes = ("t.0", "t.1") if n % 2 else ("t.0",)
        store(*(make_batch(rows, position=60 * n + 5 * at, lane=x) for at, x in enumerate(lanes)))
    start, end = noon + timedelta(seconds=62), noon + timedelta(seconds=242)
    for lanes in (None, frozenset({"t.0"}), frozenset({"t.1"})):
        whole = batches_of(events, ReplayQuery(start, end, lanes=lanes))
        fields = {"t.0": frozenset({"b"}), "t.1": frozenset({"b"})}
        some = batches_of(events, ReplayQuery(start, end, lanes=lanes, native_fields=fields))
        assert natives(some, {"b"}) == natives(whole, {"b"})
        assert {one.lane.id for one in some} == (lanes or {"t.0", "t.1"})
        assert all(start <= at < end for one in some for at in one.times.to_pylist())
