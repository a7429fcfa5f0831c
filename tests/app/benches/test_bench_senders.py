"""The bench of senders' protocols sends the same events through every door and loses none."""

from pathlib import Path

from tocsin.app.benches.bench_senders import bench_senders


def test_every_door_is_measured_with_the_same_events(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    result = bench_senders(1_000, 1, [tmp_path], lambda done, total: told.append((done, total)))
    doors = ["ndjson", "hec", "bulk", "otlp", "otlp_json"]
    assert result["events"] == 1_000
    assert list(result["events_per_s"]) == list(result["ratio_to_ndjson"]) == doors
    assert all(speed > 0 for speed in result["events_per_s"].values())
    assert result["ratio_to_ndjson"]["ndjson"] == 1
    assert told == [(number, 10) for number in range(1, 11)]
