"""The normalizer: every record in exactly one lane, with the same id at every reading."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.mapping import Mapping
from tocsin.normalize.normalizer import Normalizer

ORIGIN = Origin("src", datetime(2026, 3, 1, tzinfo=UTC), "spool-1", 9, tenant="t1")


def _mapping(name: str, shapes: list[dict[str, object]], **more: object) -> Mapping:
    return Mapping.model_validate(
        {"connector": name, "vendor": "V", "product_name": "P", "product": name}
        | {"shapes": shapes}
        | more
    )


ALPHA = _mapping(
    "alpha",
    [
        {"name": "login", "recognize": {"kind": ["login", 7]}, "class": "authentication"},
        {"name": "text", "recognize": {"message": {"matches": "^user (\\w+)"}},
         "patterns": [{"regex": "^user (?P<who>\\w+) (?P<n>\\d+)", "integers": ["n"], "set": {"e": "x"}}],
         "map": {"user.name": "who"}},
        {"name": "rest", "recognize": {"kind": {"present": True}}},
        {"name": "any_message", "fallback": True, "recognize": {"message": {"present": True}}},
    ],
    alias={"kind": ["meta.kind"]},
    lift=["data"],
)  # fmt: skip
BETA = _mapping("beta", [{"name": "prefixed", "recognize": {"kind": {"prefix": "b."}}}], order=1)


def _decoded(records: list[dict[str, object]], keep_raw: frozenset[int] = frozenset()) -> Decoded:
    lines = [b"line %d" % number for number in range(len(records))]
    return Decoded(records, lines, [10 * n for n in range(len(records))], [], keep_raw)


def _lanes(batches: list[EventBatch]) -> dict[str, list[dict[str, object]]]:
    return {batch.lane.id: batch.native_rows(range(len(batch))) for batch in batches}


def test_records_go_to_the_lane_that_claims_them() -> None:
    records: list[dict[str, object]] = [
        {"kind": "LOGIN"}, {"kind": 7}, {"meta": {"kind": "login"}}, {"kind": "b.x"},
        {"kind": "other"}, {"kind": {"odd": 1}}, {"message": "user ada 5"}, {"message": "hello"}, {"z": 1},
    ]  # fmt: skip
    lanes = _lanes(Normalizer([ALPHA, BETA]).normalize(_decoded(records), ORIGIN))
    assert {name: len(rows) for name, rows in lanes.items()} == {
        "alpha.login": 3, "alpha.rest": 2, "alpha.text": 1, "alpha.any_message": 1,
        "beta.prefixed": 1, "unknown.record": 1,
    }  # fmt: skip
    assert lanes["alpha.text"] == [{"message": "user ada 5", "who": "ada", "n": 5, "e": "x"}]
    assert lanes["alpha.login"][2] == {"meta": {"kind": "login"}, "kind": "login"}


def test_a_hint_asks_that_connector_first_and_loses_nothing() -> None:
    origin = Origin("src", ORIGIN.received_at, "spool-1", 9, connector="alpha")
    records: list[dict[str, object]] = [{"kind": "b.x"}, {"q": 1}]
    lanes = _lanes(Normalizer([ALPHA, BETA]).normalize(_decoded(records), origin))
    assert lanes == {"alpha.rest": [{"kind": "b.x"}], "unknown.record": [{"q": 1}]}


def test_what_is_let_can_be_named_and_is_not_kept() -> None:
    shape: dict[str, object] = {
        "name": "line", "recognize": {"message": {"present": True}}, "class": "base_event",
        "let": {"head": {"field": "message", "extract": "^(.*?) end"}},
        "add": {"word": {"field": "head", "extract": "^(\\w+)"}, "same": ["head", "message"]},
        "map": {"device.hostname": {"field": "head", "upper": True}, "message": "message"},
    }  # fmt: skip
    records: list[dict[str, object]] = [
        {"message": f"{'ab cd' if n % 3 else 'x'} end {n}" if n % 5 else "none"} for n in range(600)
    ]
    (batch,) = Normalizer([_mapping("alpha", [shape])]).normalize(_decoded(records), ORIGIN)
    heads = [None if n % 5 == 0 else "ab cd" if n % 3 else "x" for n in range(600)]
    assert set(batch.native.schema.names) == {"message", "word", "same"}
    assert batch.native["word"].to_pylist() == [head and head.split()[0] for head in heads]
    assert batch.native["same"].to_pylist() == [head or "none" for head in heads]
    assert batch.ocsf["device.hostname"].to_pylist() == heads


def test_objects_are_lifted_and_what_is_in_the_way_stays() -> None:
    records: list[dict[str, object]] = [
        {"kind": "k", "data": {"a": 1, "kind": "inner"}},
        {"kind": "k", "data": {"a": 2}},
    ]
    rows = _lanes(Normalizer([ALPHA]).normalize(_decoded(records), ORIGIN))["alpha.rest"]
    assert rows[0] == {"kind": "k", "data": {"kind": "inner"}, "a": 1}
    assert rows[1]["a"] == 2


def test_the_envelope_is_complete_and_repeatable() -> None:
    normalizer = Normalizer([ALPHA])
    decoded = _decoded([{"kind": "login"}, {"kind": "login"}], frozenset({1}))
    (batch,) = normalizer.normalize(decoded, ORIGIN)
    assert batch.event_ids.to_pylist() == [
        event_id(ORIGIN.received_at, "spool-1", 9, ordinal) for ordinal in (0, 10)
    ]
    assert batch.raw.to_pylist() == [None, b"line 1"]
    assert (batch.sources.to_pylist(), batch.tenant) == (["src", "src"], "t1")
    assert batch.ingested_at.to_pylist() == [ORIGIN.received_at] * 2
    row = batch.ocsf_rows([0])[0]
    assert (row["class_uid"], row["category_uid"], row["type_uid"]) == (3002, 3, 300200)
    assert row["unmapped.time_quality"] == "missing"


def test_many_parts_share_a_lane_and_keep_their_origins() -> None:
    normalizer = Normalizer([ALPHA])
    origins = [
        Origin("a", ORIGIN.received_at, "spool-1", 1),
        Origin("b", ORIGIN.received_at, "spool-1", 2),
        Origin("c", ORIGIN.received_at, "spool-1", 3, tenant="other"),
    ]
    parts = [(_decoded([{"kind": "login"}], frozenset({0})), origin) for origin in origins]
    batches = normalizer.normalize_all(parts)
    assert [(batch.tenant, batch.sources.to_pylist()) for batch in batches] == [
        ("default", ["a", "b"]),
        ("other", ["c"]),
    ]
    assert batches[0].raw.to_pylist() == [b"line 0", b"line 0"]
    assert batches[0].event_ids.to_pylist() == [
        event_id(origin.received_at, "spool-1", origin.position, 0) for origin in origins[:2]
    ]


def test_names_in_another_order_are_the_same_shape() -> None:
    records: list[dict[str, object]] = [{"kind": "login", "a": 1}, {"a": 2, "kind": "login"}]
    (batch,) = Normalizer([ALPHA]).normalize(_decoded(records), ORIGIN)
    assert batch.native_rows([0, 1]) == records


def test_no_records_make_no_batches() -> None:
    assert Normalizer([ALPHA]).normalize(_decoded([]), ORIGIN) == []


def test_every_lane_is_listed_once() -> None:
    lanes = [lane.id for lane in Normalizer([ALPHA, BETA]).lanes]
    assert lanes[0] == "beta.prefixed"
    assert lanes[-1] == "unknown.record"
    assert len(set(lanes)) == len(lanes)


@pytest.mark.parametrize(
    ("record", "time"),
    [
        ({"@timestamp": "2026-02-01T00:00:00Z"}, datetime(2026, 2, 1, tzinfo=UTC)),
        ({"ts": 1767225600.5}, datetime(2026, 1, 1, 0, 0, 0, 500000, UTC)),
        ({"message": "x"}, ORIGIN.received_at),
    ],
)
def test_the_time_of_unknown_records_is_guessed(record: dict[str, object], time: datetime) -> None:
    (batch,) = Normalizer([]).normalize(_decoded([record]), ORIGIN)
    assert batch.lane.id == "unknown.record"
    assert batch.times.to_pylist() == [time]


names = st.sampled_from(["kind", "message", "meta", "data", "event", "time", "_path", "id"])
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats()
nested = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner)
)


@given(st.lists(st.dictionaries(names, nested, max_size=5), max_size=8))
@settings(max_examples=60, deadline=None)
def test_whatever_comes_no_record_is_lost(records: list[dict[str, object]]) -> None:
    batches = Normalizer([ALPHA, BETA]).normalize(_decoded(records), ORIGIN)
    ids = [identifier for batch in batches for identifier in batch.event_ids.to_pylist()]
    assert len(set(ids)) == len(ids) == len(records)
    for batch in batches:
        lengths = {len(batch.times), len(batch.raw), batch.native.num_rows, batch.ocsf.num_rows}
        assert lengths == {len(batch)}
