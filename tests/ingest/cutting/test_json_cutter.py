"""JSON of any shape and length comes out as one object a line."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest import limits
from tocsin.ingest.cutting import json_cutter
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.json_cutter import cut_json
from tocsin.ingest.decode import decode
from tocsin.model.record import RawBatch, Unreadable

MAKER = Maker("cloud", "trail.json", datetime(2026, 3, 1, tzinfo=UTC))
SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=12)
OBJECTS = st.lists(
    st.dictionaries(
        st.text(max_size=5), SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=3),
        max_size=4,
    ),
    max_size=6,
)  # fmt: skip


class Dribble:
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream = io.BytesIO(content)
        self._size = size

    def read(self, size: int) -> bytes:
        return self._stream.read(min(size, self._size))


def cut(content: bytes, step: int = 1 << 20) -> tuple[list[object], list[Unreadable]]:
    records: list[object] = []
    unreadable: list[Unreadable] = []
    for item in cut_json(Dribble(content, step), MAKER):
        if isinstance(item, RawBatch):
            found = decode(item)
            assert item.first_ordinal == len(records) + len(unreadable) + 1
            records += found.records
            unreadable += found.unreadable
        else:
            unreadable.append(item)
    return records, unreadable


@given(OBJECTS, st.sampled_from([None, 0, 2]), st.integers(1, 40), st.sampled_from("[]rapj"))
def test_objects_come_out_whatever_holds_them(
    objects: list[dict[str, object]], indent: int | None, step: int, shape: str
) -> None:
    text = {
        "[": lambda: json.dumps(objects, indent=indent),
        "]": lambda: json.dumps(objects, indent=indent, ensure_ascii=False),
        "r": lambda: json.dumps({"Records": objects, "more": [{}]}, indent=indent),
        "a": lambda: json.dumps({"records": objects}, indent=indent),
        "j": lambda: "".join(json.dumps(item) for item in objects),
        "p": lambda: "\n".join(json.dumps(item, indent=indent) for item in objects),
    }[shape]()
    content = text.encode("utf-8", "replace")
    records, unreadable = cut(content, step)
    assert not unreadable
    if shape == "r":
        objects = [*objects, {"more": [{}]}]
    if "\\ud" not in text.lower() and shape != "]":
        assert records == objects
    assert len(records) == len(objects)


def test_several_cloudtrail_files_behind_each_other() -> None:
    one = json.dumps({"Records": [{"a": 1}, {"a": 2}], "x": {"y": "]}"}})
    records, unreadable = cut(f"{one}\n{one}".encode())
    assert (records, unreadable) == ([{"a": 1}, {"a": 2}, {"x": {"y": "]}"}}] * 2, [])


@pytest.mark.parametrize(
    ("content", "records", "reason"),
    [
        (b'[{"a":1},{"a":', 1, "the input ends inside this JSON value"),
        (b'[{"a":1}, 7, {"a":2}]', 2, "not a JSON object"),
        (b'[{"a":1},{"a":nil},{"a":2}]', 2, "not JSON"),
        (b'{"a":1}\n}\n{"a":2}', 2, "unexpected closing bracket"),
        (b'[{"a":"unclosed}, {"b":2}]', 0, "the input ends inside this JSON value"),
    ],
)
def test_what_is_broken_is_named_and_the_rest_goes_on(
    content: bytes, records: int, reason: str
) -> None:
    found, unreadable = cut(content)
    assert len(found) == records
    assert any(reason in item.reason for item in unreadable)
    assert all(item.payload in content for item in unreadable)


def test_deep_nesting_costs_one_record() -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    records, unreadable = cut(b'[{"a":1},' + deep + b',{"b":2}]')
    assert records == [{"a": 1}, {"b": 2}]
    assert [(item.ordinal, item.payload) for item in unreadable] == [(2, deep)]


def test_a_record_over_the_limit_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cutter, "RECORD_BYTES", 1000)
    big = json.dumps({"big": "x" * 5000}).encode()
    records, (item,) = cut(b'[{"a":1},' + big + b',{"b":2}]', 100)
    assert records == [{"a": 1}, {"b": 2}]
    assert item.payload == big
    assert "over the 1,000 limit" in item.reason


def test_batches_stay_within_their_limits() -> None:
    content = json.dumps([{"n": n, "pad": "x" * 300} for n in range(12_000)]).encode()
    batches = [item for item in cut_json(io.BytesIO(content), MAKER) if isinstance(item, RawBatch)]
    assert sum(batch.payload.count(b"\n") + 1 for batch in batches) == 12_000
    assert all(len(batch.payload) <= limits.BATCH_BYTES for batch in batches)
    assert all(batch.payload.count(b"\n") < limits.BATCH_RECORDS for batch in batches)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_come_to_an_end(noise: bytes, step: int) -> None:
    cut(noise, step)
    cut(b'[{"a":1},' + noise, step)
    cut(b'{"Records":[' + noise, step)
