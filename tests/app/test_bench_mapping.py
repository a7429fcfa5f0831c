"""The bench of mappings decodes and maps each kind of text and loses no line."""

from tocsin.app.bench_mapping import bench_mapping
from tocsin.app.bench_traffic import LINES, Traffic, bodies


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
