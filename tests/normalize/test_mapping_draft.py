"""A draft for unknown records loads, recognizes them, and reads their time."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.ingest.decode import decode
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.draft_hints import CLASSES, LOG_SOURCES
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.mapping_draft import MappingDraft, draft_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_classes import CLASS_UIDS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOWS = [
    {
        "kind": "conn",
        "startedAt": f"2026-03-01T11:00:0{n}Z",
        "source": {"ip": f"198.51.100.{n}", "port": 4000 + n},
        "destination": {"ip": "192.0.2.1", "port": 443},
        "proto": "tcp",
        "verdict": "allow\n# not: a key",
    }
    for n in range(5)
]
LOGINS = [
    {"when": "03.02.2026 10:00:00", "userName": f"u{n}", "login": "ok", "clientIP": "192.0.2.7"}
    for n in range(3)
]
QUERIES = [{"ts": 1772362800.5 + n, "qname": "example.org", "qtype": "A"} for n in range(3)]


def _draft(records: list[dict[str, Any]]) -> tuple[MappingDraft, list[dict[str, object]]]:
    payload = b"\n".join(json.dumps(record).encode() for record in records)
    return draft_mapping(decode(RawBatch("s", payload, NOW)).records, "box"), records


@pytest.mark.parametrize(
    ("records", "field", "style", "class_name", "time"),
    [
        (FLOWS, "startedAt", "iso", "network_activity", datetime(2026, 3, 1, 11, tzinfo=UTC)),
        (LOGINS, "when", "%d.%m.%Y %H:%M:%S", "authentication", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        (QUERIES, "ts", "epoch", "dns_activity", datetime.fromtimestamp(1772362800.5, UTC)),
    ],
)  # fmt: skip
def test_a_draft_recognizes_its_records_and_reads_their_time(
    records: list[dict[str, Any]],
    field: str,
    style: str,
    class_name: str,
    time: datetime,
    tmp_path: Path,
) -> None:
    drafted, _ = _draft(records)
    assert drafted.time is not None
    assert (drafted.time.field, drafted.time.format) == (field, style)
    assert drafted.class_name == class_name
    (tmp_path / "mapping.yml").write_text(drafted.text)
    normalizer = Normalizer([load_mapping(tmp_path / "mapping.yml")])
    payload = b"\n".join(json.dumps(record).encode() for record in records)
    batches = normalizer.normalize(decode(RawBatch("s", payload, NOW)), Origin("s", NOW, "x", 1))
    (batch,) = batches
    assert (batch.lane.id, len(batch)) == ("box.record", len(records))
    assert batch.times[0].as_py() == time


def test_what_names_mean_is_mapped_and_the_rest_is_listed() -> None:
    drafted, _ = _draft(FLOWS)
    for line in ("src_endpoint.ip: source.ip", "dst_endpoint.port: destination.port"):
        assert line in drafted.text
    assert "kind: conn" in drafted.text
    assert "# left: verdict (5 of 5, 1 values), such as 'allow\\n# not: a key'" in drafted.text


def test_lines_without_any_field_are_drafted_too(tmp_path: Path) -> None:
    decoded = decode(RawBatch("s", b"no one knows this\nnor that", NOW))
    drafted = draft_mapping(decoded.records, "box")
    assert (drafted.time, drafted.class_name) == (None, "base_event")
    assert "No field holds a time" in drafted.text
    (tmp_path / "mapping.yml").write_text(drafted.text)
    assert load_mapping(tmp_path / "mapping.yml").connector == "box"


def test_every_hinted_class_is_one() -> None:
    assert {hint.name for hint in CLASSES} | set(LOG_SOURCES) <= set(CLASS_UIDS)
