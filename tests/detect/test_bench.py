"""The benchmark tells what was measured and that the verdicts were right."""

from pathlib import Path

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.bench import bench_detect
from tocsin.detect.bench_events import BenchLane, bench_batches
from tocsin.detect.errors import DetectError


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    detection = (
        "  s: {Image|endswith: '\\svchost.exe', CommandLine|contains: ' -s Task1'}\n  condition: s"
    )
    (tmp_path / "a.yml").write_text(rule_text(detection), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("lane", list(BenchLane))
def test_a_run_is_reported_with_verdicts_equal_to_the_oracles(rules: Path, lane: str) -> None:
    seen: list[tuple[int, int]] = []
    report = bench_detect(
        [rules], lane, 3000, batch_rows=1000, on_progress=lambda d, t: seen.append((d, t))
    )
    assert report["verdicts_equal"] is True
    assert report["checksum"] == report["oracle_checksum"]
    assert report["hits"]
    assert report["rules_asking"] == 1
    assert set(report) >= {"events_per_s", "peak_rss_mb", "machine", "cold_load_s", "warm_load_s"}
    assert seen[-1] == (3000, 3000)


def test_the_events_are_the_same_every_time() -> None:
    for kind in BenchLane:
        first, second = (list(bench_batches(kind, 700, 300)) for _ in range(2))
        assert [len(batch) for batch in first] == [300, 300, 100]
        assert all(a.native.equals(b.native) for a, b in zip(first, second, strict=True))


def test_distinct_command_lines_are_distinct_over_all_batches() -> None:
    batches = bench_batches(BenchLane.DISTINCT, 2000, 500)
    lines = [line for batch in batches for line in batch.native["CommandLine"].to_pylist()]
    assert len(set(lines)) == 2000


def test_an_unknown_lane_and_rules_that_ask_for_nothing_are_refused(rules: Path) -> None:
    with pytest.raises(DetectError, match="structured"):
        bench_detect([rules], "unheard", 10)
    with pytest.raises(DetectError, match="asks for process creations"):
        bench_detect([rules / "nothing"], "structured", 10)
