"""The bench of backtests has both sides find the same on the same events."""

from collections import Counter
from pathlib import Path

import pytest

from tocsin.app.benches.bench_backtest import bench_backtest
from tocsin.app.benches.bench_correlating import Correlating
from tocsin.detect.benches.bench_lanes import BenchLane
from tocsin.detect.errors import DetectError

RULE = """
title: Domain trusts listed
id: 22222222-2222-4222-8222-222222222222
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\nltest.exe'}
  condition: selection
level: low
---
title: Trusts listed again and again
id: 33333333-3333-4333-8333-333333333333
correlation:
  type: event_count
  rules: [22222222-2222-4222-8222-222222222222]
  group-by: [Computer]
  timespan: 10s
  condition: {gte: 3}
  generate: true
level: medium
---
title: No second listing
id: 44444444-4444-4444-8444-444444444444
absence:
  rules: [22222222-2222-4222-8222-222222222222]
  group-by: [User]
  timespan: 3s
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
    assert result["ratio_by_processor"] > result["ratio_to_matching_by_processor"] > 0
    assert result["correlations"] == 2
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("rule_id", ["33333333", "44444444"])
def test_what_correlations_say_is_compared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule_id: str
) -> None:
    (tmp_path / "trusts.yml").write_text(RULE)
    standing = Correlating.standing

    def less(correlating: Correlating) -> Counter[str]:
        said = standing(correlating)
        assert len(said) == 2
        return Counter({name: count for name, count in said.items() if name[:8] != rule_id})

    monkeypatch.setattr(Correlating, "standing", less)
    with pytest.raises(DetectError, match=f"of rule {rule_id}"):
        bench_backtest([tmp_path], BenchLane.MATCHING, 2_000, 1)
