"""The bench of mappings decodes and maps each kind of text and loses no line."""

import pytest

from tocsin.app.benches.bench_mapping import bench_connectors, bench_mapping
from tocsin.app.benches.bench_traffic import LINES, Traffic, bodies


def test_each_kind_is_measured_by_itself() -> None:
    told: list[tuple[int, int]] = []
    result = bench_mapping(
        1_000, 1, (Traffic.SSHD, Traffic.RAW), lambda done, total: told.append((done, total))
    )
    assert list(result["traffic"]) == ["sshd", "raw"]
    for one in result["traffic"].values():
        assert one["records"] == one["events"] == 1_000
        assert one["both_per_s"] < min(one["decoded_per_s"], one["mapped_per_s"])
    assert told == [(1, 2), (2, 2)]


def test_text_comes_in_bodies_of_whole_lines() -> None:
    for kind in LINES:
        sent = list(bodies(kind, 2_100))
        assert [body.records for body in sent] == [2_000, 100]
        assert all(body.payload.count(b"\n") == body.records for body in sent)


def test_a_connector_is_measured_by_its_samples() -> None:
    result = bench_connectors(1_000, 1, ["checkpoint", "zeek", "iis", "aws"])
    assert list(result["connectors"]) == ["checkpoint", "zeek", "iis", "aws"]
    for one in result["connectors"].values():
        assert one["events"] == one["records"] >= 1_000
    assert result["connectors"]["checkpoint"]["lanes"] == 3
    assert 0 <= result["reach_bar"] <= 4


def test_a_connector_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="there is no connector nothing, nowhere"):
        bench_connectors(1_000, 1, ["zeek", "nowhere", "nothing"])
