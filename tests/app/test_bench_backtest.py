"""The bench of backtests has both sides find the same on the same events."""

from pathlib import Path

import pytest

from tocsin.app.bench_backtest import bench_backtest
from tocsin.detect.bench_lanes import BenchLane

RULE = """
title: Domain trusts listed
id: 22222222-2222-4222-8222-222222222222
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\nltest.exe'}
  condition: selection
level: low
"""


@pytest.mark.parametrize("lane", [BenchLane.MATCHING, BenchLane.MIXED])
def test_both_sides_look_at_all_events_and_find_the_same(tmp_path: Path, lane: BenchLane) -> None:
    (tmp_path / "trusts.yml").write_text(RULE)
    told: list[tuple[int, int]] = []
    result = bench_backtest([tmp_path], lane, 2_000, 1, lambda *how_far: told.append(how_far))
    assert result["events"] == 2_000
    assert bool(result["findings"]) is (lane is BenchLane.MATCHING)
    assert result["ratio_by_clock"] > 0
    assert result["ratio_by_processor"] > 0
    assert told == [(1, 2), (2, 2)]
