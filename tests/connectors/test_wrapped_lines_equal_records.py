"""Lines that objects carry are read columnwise exactly as one by one, whatever wraps them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.connectors.both_ways import RECEIVED, SPLIT, compare, compare_records, decoded
from tests.connectors.test_text_columns_equal_records import LINES, OBJECTS
from tocsin.app.benches.bench_text import WRITERS, text_lines
from tocsin.connectors.catalog import sample_folders
from tocsin.ingest.decode import decode
from tocsin.model.record import Framing, RawBatch

Wrapper = Callable[[str, int], dict[str, Any]]


def docker(line: str, at: int) -> dict[str, Any]:
    return {"log": f"{line}\n", "stream": "stdout", "time": f"2026-06-30T08:00:00.{at:09}Z"}


def fluent_bit(line: str, at: int) -> dict[str, Any]:
    return {
        "date": 1782806400.5 + at,
        "log": line,
        "kubernetes": {"pod_name": f"web-{at % 3}", "host": "n1", "labels": {"app": 'a"b'}},
        "_p": None,
    }


def vector(line: str, at: int) -> dict[str, Any]:
    return {"message": line, "host": "web01", "source_type": "file", "timestamp": "2026-06-30"}


def filebeat(line: str, at: int) -> dict[str, Any]:
    about = {"log": {"offset": at, "file": {"path": "/var/log/x"}}, "tags": ["a", "b"]}
    return {"@timestamp": "2026-06-30T08:00:00.000Z", "message": line, "event": {}, **about}


def hec(line: str, at: int) -> dict[str, Any]:
    return {"event": line, "time": 1782806400 + at, "host": "h", "fields": {"a": ["b"]}}


def hec_of_object(line: str, at: int) -> dict[str, Any]:
    return {"event": fluent_bit(line, at), "sourcetype": "kube"}


def otlp(line: str, at: int) -> dict[str, Any]:
    return {"body": line, "otel": {"timeUnixNano": at, "attributes": {"hec": "x", "n": 1.5}}}


def otlp_of_object(line: str, at: int) -> dict[str, Any]:
    return {"body": {"message": line, "hostname": "h"}, "otel": {"flags": 1}}


WRAPPED: list[tuple[Wrapper, Framing]] = [
    *((one, Framing.LINES) for one in (docker, fluent_bit, vector, filebeat)),
    *((one, Framing.DOCUMENTS) for one in (fluent_bit, filebeat)),
    *((one, Framing.HEC) for one in (hec, hec_of_object)),
    *((one, Framing.OTLP) for one in (otlp, otlp_of_object)),
]
IDS = [f"{wrap.__name__}-{framing}" for wrap, framing in WRAPPED]
ONE_EACH = {"docker-lines", "filebeat-documents", "hec-hec", "otlp_of_object-otlp"}


def payload_of(lines: list[str], wrap: Wrapper, *, is_ascii: bool = True) -> bytes:
    return b"\n".join(
        json.dumps(wrap(line, at), ensure_ascii=is_ascii).encode("utf-8", "replace")
        for at, line in enumerate(lines)
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(LINES, st.sampled_from(OBJECTS), st.text(max_size=12)),
            st.sampled_from(["", "", "\n", "\r\n", "\n\n", " ", "\nsecond line", "\r"]),
        ),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(WRAPPED),
    st.integers(1, 3),
    st.booleans(),
)
def test_made_up_lines(
    lines: list[tuple[str, str]], wrapped: tuple[Wrapper, Framing], times: int, is_ascii: bool
) -> None:
    wrap, framing = wrapped
    texts = [line + end for line, end in lines] * times
    compare_records(payload_of(texts, wrap, is_ascii=is_ascii), framing)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(LINES, st.sampled_from(WRAPPED[:4])), min_size=2, max_size=8),
    st.integers(1, 3),
)
def test_wrappers_of_several_kinds(
    lines: list[tuple[str, tuple[Wrapper, Framing]]], times: int
) -> None:
    one = [payload_of([line], wrap) for line, (wrap, _) in lines]
    one += [b'{"a":1,"b":"c"}', b"a line", b'{"message":"x"']
    compare_records(b"\n".join(one * times), Framing.LINES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrap", "framing"),
    [one for one, name in zip(WRAPPED, IDS, strict=True) if name in ONE_EACH],
    ids=sorted(ONE_EACH, key=IDS.index),
)
def test_every_sample_line_of_every_connector(wrap: Wrapper, framing: Framing) -> None:
    for folder in sample_folders():
        for path in sorted(folder.iterdir()):
            if path.suffix in {".log", ".txt", ".json", ".ndjson"}:
                lines = path.read_text("utf-8", "replace").splitlines()
                compare_records(payload_of([one for one in lines if one] * 2, wrap), framing)


@pytest.mark.parametrize(("wrap", "framing"), WRAPPED, ids=IDS)
@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_lines_of_a_sender_become_columns_and_the_same_events(
    kind: str, wrap: Wrapper, framing: Framing
) -> None:
    payload = payload_of(list(text_lines(kind, 100, until=RECEIVED)), wrap)
    assert not decoded(payload, framing, SPLIT).shaped.loose  # type: ignore[union-attr]
    assert compare([payload], framing) == (100, 100)


def test_lines_within_lines() -> None:
    inner = [json.dumps(vector(line, 0)) for line in text_lines("sshd", 60, until=RECEIVED)]
    payload = payload_of(inner, docker)
    compare_records(payload, Framing.LINES)
    assert not decoded(payload, Framing.LINES, SPLIT).shaped.loose  # type: ignore[union-attr]


def test_who_only_looks_finds_as_many_and_what_is_blank() -> None:
    lines = [*text_lines("sshd", 50, until=RECEIVED), " ", *text_lines("asa", 50, until=RECEIVED)]
    payload = payload_of(lines, hec)
    found = decoded(payload, Framing.HEC, SPLIT)
    assert (len(found.records), [one.ordinal for one in found.unreadable]) == (100, [51])


@pytest.mark.parametrize(("wrap", "framing"), WRAPPED, ids=IDS)
def test_blanks_of_all_kinds(wrap: Wrapper, framing: Framing) -> None:
    """An event of nothing but blanks is a fault of HEC's, also for who only looks."""
    blanks = [chr(at) for at in range(0x3001) if chr(at).isspace()]
    lines = [line for blank in blanks for line in (blank, f"{blank}a", f"a{blank}")]
    for payload in (payload_of(lines, wrap), payload_of(lines, wrap, is_ascii=False)):
        compare_records(payload, framing)
        many = RawBatch("test", b"\n".join([payload] * 50), RECEIVED, framing)
        looked, read = decode(many, read_text=False), decode(many)
        assert looked.shaped is not None
        assert looked.ordinals == read.ordinals
        assert [one.ordinal for one in looked.unreadable] == [
            one.ordinal for one in read.unreadable
        ]
