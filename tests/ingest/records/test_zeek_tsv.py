"""Zeek's tab-separated logs read as its JSON logs do."""

import gzip
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.decode import decode
from tocsin.model.record import Decoded, Framing, RawBatch

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HEADER = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
    b"#path\tconn\n#open\t2026-03-01-00-00-00\n"
    b"#fields\tts\tuid\tid.orig_p\tduration\tlocal_orig\ttunnel_parents\tnote\n"
    b"#types\ttime\tstring\tport\tinterval\tbool\tset[string]\tstring\n"
)


def read(payload: bytes, framing: Framing = Framing.ZEEK_TSV) -> Decoded:
    return decode(RawBatch("zeek", payload, NOW, framing, first_ordinal=9))


def test_values_get_the_types_of_the_header() -> None:
    found = read(HEADER + b"1521911720.629574\tC1\t443\t0.25\tT\ta,b\thello\n")
    assert found.records == [
        {
            "_path": "conn",
            "ts": "2018-03-24T17:15:20.629574Z",
            "uid": "C1",
            "id.orig_p": 443,
            "duration": 0.25,
            "local_orig": True,
            "tunnel_parents": ["a", "b"],
            "note": "hello",
        }
    ]


def test_unset_fields_are_left_out_and_empty_sets_are_empty() -> None:
    found = read(HEADER + b"1.0\tC1\t-\t-\t-\t(empty)\t-\n")
    assert found.records == [
        {
            "_path": "conn",
            "ts": "1970-01-01T00:00:01.000000Z",
            "uid": "C1",
            "tunnel_parents": [],
        }
    ]


def test_escapes_become_what_they_stand_for() -> None:
    found = read(HEADER + rb"1.0	C\x09\\1	-	-	-	a\x2cb,c	\x00\x0a" + b"\n")
    assert found.records[0]["uid"] == "C\t\\1"
    assert found.records[0]["tunnel_parents"] == ["a,b", "c"]
    assert found.records[0]["note"] == "\\x00\n"


def test_a_wrong_record_is_unreadable_with_its_line_and_reason() -> None:
    found = read(HEADER + b"1.0\tonly\n1.0\tC1\tport\t-\t-\t-\t-\n1.0\tC2\t-\t-\t-\t-\t-\n")
    assert [(item.ordinal, item.reason) for item in found.unreadable] == [
        (9, "Zeek record has 2 fields, its header 7"),
        (10, "invalid literal for int() with base 10: 'port'"),
    ]
    assert [record["uid"] for record in found.records] == ["C2"]
    assert found.ordinals == [2]


@pytest.mark.parametrize("time", ["1e999999999", "NaN", "-1e13", "Infinity", "x"])
def test_a_time_outside_the_calendar_is_unreadable(time: str) -> None:
    found = read(HEADER + time.encode() + b"\tC1\t-\t-\t-\t-\t-\n")
    assert "is not one of this calendar" in found.unreadable[0].reason


def test_records_without_a_header_are_unreadable_not_guessed() -> None:
    assert "without a #fields header" in read(b"1.0\tC1\n").unreadable[0].reason


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_any_bytes_are_read_without_an_exception(header: bytes, body: bytes) -> None:
    found = read(b"#" + header + b"\n" + body)
    lines = (b"#" + header + b"\n" + body).split(b"\n")
    assert len(found.records) + len(found.unreadable) <= len(lines)


def test_the_same_traffic_reads_the_same_as_tsv_and_as_json(test_data: Path) -> None:
    compared = 0
    for twin in sorted((test_data / "zeek-twins" / "zeek-json").glob("*.json.gz")):
        name = twin.name.removesuffix(".json.gz")
        tsv = test_data / "zeek-twins" / "zeek-default" / f"{name}.log.gz"
        as_json = read(gzip.decompress(twin.read_bytes()), Framing.LINES)
        as_tsv = read(gzip.decompress(tsv.read_bytes()))
        assert not as_json.unreadable
        assert not as_tsv.unreadable
        assert len(as_json.records) == len(as_tsv.records), name
        pairs = zip(_in_order(as_json), _in_order(as_tsv), strict=True)
        for left, right in pairs:
            left.pop("_write_ts", None)  # only the JSON twin was told to write it
            assert left.keys() == right.keys(), name
            for field, value in left.items():
                assert _alike(value, right[field], name), (name, field, value, right[field])
            compared += 1
    assert compared == 10_565


def _in_order(found: Decoded) -> list[dict[str, object]]:
    return sorted(found.records, key=lambda record: (str(record.get("ts")), str(record.get("uid"))))


def _alike(left: object, right: object, log: str) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-4, abs_tol=1e-6)  # TSV prints six digits
    if log == "known_services" and left == [""]:
        return right == []  # TSV writes both an empty set and a set of "" as (empty)
    return left == right and type(left) is type(right)
