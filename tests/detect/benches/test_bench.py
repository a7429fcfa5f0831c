"""The benchmark tells what was measured and that the verdicts were right."""

from pathlib import Path

import orjson
import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.benches.bench import bench_detect, bench_events
from tocsin.detect.benches.bench_correlation import stateful_rules
from tocsin.detect.benches.bench_lanes import BenchLane, bench_batches
from tocsin.detect.benches.bench_multiply import multiplied
from tocsin.detect.errors import DetectError
from tocsin.detect.reading.ruleset import load_rules
from tocsin.detect.rules.matcher import matchers_in
from tocsin.detect.rules.stateful_rule import CorrelationType
from tocsin.model.event import EventBatch


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Rules for every lane: on processes, files, and a keyword in raw text."""
    folder = tmp_path / "rules"
    folder.mkdir()
    process = (
        "  s: {Image|endswith: '\\svchost.exe', CommandLine|contains: ' -s Task1'}\n  condition: s"
    )
    texts = {
        "process": rule_text(process),
        "file": rule_text("  s: {TargetFilename|endswith: .ps1}\n  condition: s").replace(
            "process_creation", "file_event"
        ),
        "raw": rule_text("  k: [Failed password]\n  condition: k")
        .replace("windows", "linux")
        .replace("category: process_creation", "service: sshd"),
    }
    for at, (name, text) in enumerate(texts.items()):
        (folder / f"{name}.yml").write_text(
            text.replace("000000000001", f"00000000000{at}"), encoding="utf-8"
        )
    return folder


@pytest.mark.parametrize("lane", list(BenchLane))
def test_a_run_is_reported_with_verdicts_equal_to_the_oracles(rules: Path, lane: str) -> None:
    seen: list[tuple[int, int]] = []
    report = bench_detect(
        [rules],
        lane,
        3000,
        batch_rows=1000,
        cores=1,
        on_progress=lambda d, t: seen.append((d, t)),
    )
    assert report["verdicts_equal"] is True
    assert report["checksum"] == report["oracle_checksum"]
    assert report["hits"]
    assert report["rules_asking"]
    assert set(report) >= {"events_per_s", "peak_rss_mb", "machine", "candidates_per_event_p95"}
    assert seen[-1] == (report["events"], 3000)
    if lane == BenchLane.CORRELATION:
        assert report["correlations"] == 20
        assert report["correlation_events_per_s"]


def test_two_processes_share_the_events_and_decoding_is_measured_apart(rules: Path) -> None:
    def decoded(payload: bytes) -> list[EventBatch]:
        records = [orjson.loads(line) for line in payload.splitlines()]
        assert records[0]["Channel"] == "Microsoft-Windows-Sysmon/Operational"
        return [batch_of(lane_for("windows", "process_creation", None), records)]

    report = bench_detect([rules], "structured", 2000, batch_rows=500, decoder=decoded)
    assert report["two_core_events_per_s"]
    assert report["decoded_events"] == 2000
    assert report["with_decoding_events_per_s"] < report["decode_events_per_s"]  # type: ignore[operator]


def test_events_of_ones_own_are_measured_as_they_come(rules: Path) -> None:
    report = bench_events([rules], bench_batches(BenchLane.STRUCTURED, 3000, 1000))
    assert (report["events"], report["lane"]) == (3000, "file")
    assert report["verdicts_equal"] is True
    assert report["decode_events_per_s"]
    with pytest.raises(DetectError, match="no events"):
        bench_events([rules], [])


def test_copied_rules_have_ids_and_literals_of_their_own(rules: Path) -> None:
    once = load_rules([rules])
    thrice = multiplied(once, 3)
    assert len(thrice.rules) == len({one.rule.id for one in thrice.rules}) == 3 * len(once.rules)
    texts = [{m.values for m in matchers_in(one.condition)} for one in thrice.rules]
    assert all(texts[at] != texts[at + len(once.rules)] for at in range(len(once.rules)))
    report = bench_detect([rules], "structured", 2000, batch_rows=500, cores=1, multiply=3)
    assert report["verdicts_equal"] is True
    assert report["rules"] == 9


def test_the_twenty_correlations_are_of_all_types() -> None:
    assert {one.type for one in stateful_rules()} == set(CorrelationType)
    assert len({one.rule.id for one in stateful_rules()}) == 20


def test_the_events_are_the_same_every_time() -> None:
    for kind in BenchLane:
        first, second = (list(bench_batches(kind, 700, 300)) for _ in range(2))
        assert sum(map(len, first)) == 700
        assert all(a.native.equals(b.native) for a, b in zip(first, second, strict=True))


def test_distinct_command_lines_are_distinct_over_all_batches() -> None:
    batches = bench_batches(BenchLane.DISTINCT, 2000, 500)
    lines = [line for batch in batches for line in batch.native["CommandLine"].to_pylist()]
    assert len(set(lines)) == 2000


def test_an_unknown_lane_and_rules_that_ask_for_nothing_are_refused(rules: Path) -> None:
    with pytest.raises(DetectError, match="structured"):
        bench_detect([rules], "unheard", 10)
    with pytest.raises(DetectError, match="asks for"):
        bench_detect([rules / "nothing"], "structured", 10)
