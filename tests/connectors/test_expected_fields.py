"""What others expect of log lines is where one looks for it, as much as is written down."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.connectors.expected_fields import SCORED, UNDERSTOOD, Score
from tests.connectors.found_values import event_of
from tocsin.normalize.normalizer import Normalizer

MOMENT = datetime(2026, 6, 30, 8, 14, 2, 500_000, tzinfo=UTC)
EVENT = event_of(
    {"user": "ada", "text": "user bo from 192.0.2.1", "facility": "auth", "severity": "info"},
    {"user.name": "ada", "src_endpoint.ip": "192.0.2.7", "time": None},
    MOMENT,
    "30/Jun/2026:10:14:02.500 +0200 ada",
)


@pytest.mark.parametrize("name", SCORED)
def test_the_share_of_expected_fields_is_as_written_down(
    name: str, test_data: Path, normalizer: Normalizer, capsys: pytest.CaptureFixture[str]
) -> None:
    score = SCORED[name](normalizer, test_data)
    found = score.written()
    with capsys.disabled():
        print(f"\n{name}: {score.right} of {score.told} fields, {found['percent']} %")  # noqa: T201
    assert score.told > 400
    assert found["percent"] >= 95
    assert found == json.loads(UNDERSTOOD.read_bytes())[name], "write down what there is now"


@pytest.mark.parametrize(
    ("name", "value", "counts"),
    [
        ("user", "Ada", True),
        ("user", "bo", False),
        ("host", "192.0.2.7", True),
        ("host", "192.0.2.1", False),
        ("Meta.source_ip", "ada", False),
        ("Parsed.name", "'ada'", True),
        ("Parsed.syslog_priority", "38", True),
        ("Parsed.timestamp", "30/Jun/2026:10:14:02.500 +0200", True),
        ("Parsed.time", "08:14:02.5", True),
        ("Parsed.time", "09:14:02", False),
        ("Parsed.month", "Jul", False),
        ("Parsed.count", "14", False),
    ],
)
def test_a_value_counts_only_where_it_belongs(name: str, value: str, counts: bool) -> None:
    score = Score()
    score.add("log", name, value, EVENT)
    assert (score.right, score.told) == (int(counts), 1)
    assert bool(score.missing) is not counts
