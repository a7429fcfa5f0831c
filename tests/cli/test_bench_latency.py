"""What the latency benchmark sends is of now, and its marked records match its rule."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from tocsin.app.benches.bench_decoding import make_decoder
from tocsin.cli.bench_latency import RULE, marked, payloads
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import load_rules


def test_bodies_are_everyday_records_of_now() -> None:
    for payload, records in islice(payloads(7), 3):
        lines = payload.decode().splitlines()
        assert len(lines) == records == 7
        for one in map(json.loads, lines):
            made = datetime.strptime(one["UtcTime"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
            assert abs(datetime.now(UTC) - made) < timedelta(minutes=5)


def test_marked_records_match_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "marker.yml").write_text(RULE)
    engine = Engine(load_rules([tmp_path]))
    payload, records = next(payloads(20))
    (batch,) = make_decoder()(payload + marked("a") + marked("b"))
    (hit,) = engine.evaluate(batch)
    assert hit.rows == (records, records + 1)
