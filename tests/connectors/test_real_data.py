"""Real recordings go to the lanes they belong to, whole, with the names Sigma's rules use."""

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.depth import DEEP
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_ids
from tocsin.model.record import Decoded, Framing, Origin, RawBatch, Unreadable
from tocsin.normalize.check import lost_values
from tocsin.normalize.normalizer import Normalizer

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
ORIGIN = Origin("real", RECEIVED, "test", 1)
CHUNK = 5_000


def _open(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else lzma.decompress(content)


def _payloads(payload: bytes) -> Iterator[bytes]:
    lines = payload.split(b"\n")
    for start in range(0, len(lines), CHUNK):
        yield b"\n".join(lines[start : start + CHUNK])


def _normalize(
    normalizer: Normalizer, payload: bytes, framing: Framing = Framing.LINES
) -> tuple[Decoded, list[EventBatch]]:
    decoded = decode(RawBatch("real", payload, RECEIVED, framing))
    assert decoded.unreadable == []
    batches = normalizer.normalize(decoded, ORIGIN)
    assert sum(len(batch) for batch in batches) == len(decoded.records)
    return decoded, batches


def _ids(decoded: Decoded) -> list[str]:
    return event_ids(ORIGIN.received_at, ORIGIN.spool, ORIGIN.position, decoded.ordinals)


def _lanes(normalizer: Normalizer, payload: bytes) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in _payloads(payload):
        for batch in _normalize(normalizer, part)[1]:
            counts[batch.lane.id] += len(batch)
    return counts


def _share_recognized(counts: Counter[str]) -> float:
    return 1 - counts["unknown.record"] / counts.total()


def test_every_event_of_the_evtx_samples_is_a_windows_event(
    test_data: Path, normalizer: Normalizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(test_data / "evtx-attack-samples" / "evtx.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    counts: Counter[str] = Counter()
    lost: list[str] = []
    files = sorted(tmp_path.rglob("*.evtx"))
    assert len(files) == 277
    for raw in read_paths(files, source="evtx", received_at=RECEIVED, on_progress=None):
        if isinstance(raw, Unreadable):
            continue
        decoded = decode(raw)
        batches = normalizer.normalize(decoded, ORIGIN)
        for batch in batches:
            counts[batch.lane.id] += len(batch)
        lost += _lost(decoded, batches)
    with capsys.disabled():
        print(f"\nevtx: {counts.total()} events in {len(counts)} lanes")  # noqa: T201
    assert counts.total() >= 8_255
    assert all(lane.startswith("windows.") for lane in counts)
    assert counts["windows.process_creation"] >= 1_491
    assert lost == []


def _lost(decoded: Decoded, batches: Sequence[EventBatch]) -> list[str]:
    """Values of records that no native column of their batch tells any more."""
    ids = _ids(decoded)
    records = dict(zip(ids, decoded.records, strict=True))
    return [
        value
        for batch in batches
        for identifier, native in zip(
            batch.event_ids.to_pylist(), batch.native_rows(range(len(batch))), strict=True
        )
        for value in lost_values(records[identifier], native)
    ]


@pytest.mark.parametrize("name", ["apache_logs", "auth.log"])
def test_web_and_sign_in_logs_are_recognized(
    test_data: Path, normalizer: Normalizer, name: str
) -> None:
    counts = _lanes(normalizer, _open(test_data / "web-auth-logs" / f"{name}.xz"))
    assert _share_recognized(counts) == 1
    if name == "apache_logs":
        assert counts == {"webserver.access": 10_000}
    else:
        assert counts["linux.sshd"] > 2_500


def _recordings(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    yield name, archive.read(name)
    for path in sorted(folder.rglob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    yield member.name, content.read()


@pytest.mark.slow
def test_nested_and_flat_windows_recordings_give_the_same_names(
    test_data: Path, normalizer: Normalizer, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"Image", "CommandLine", "ParentImage", "User", "EventID", "Channel", "Provider_Name"}
    counts: Counter[str] = Counter()
    seen: dict[bool, int] = {True: 0, False: 0}
    for name, payload in _recordings(test_data / "security-datasets" / "datasets" / "atomic"):
        if "aws" in name or "ec2_" in name:
            continue
        parts = list(_payloads(payload))
        for part in parts if DEEP else {parts[0], parts[-1]}:
            for batch in _normalize(normalizer, part)[1]:
                counts[batch.lane.id] += len(batch)
                if batch.lane.id == "windows.process_creation":
                    nested = "log_name" in batch.native.schema.names
                    assert asked - {"User", "ParentImage"} <= set(batch.native.schema.names), name
                    assert "device.hostname" in batch.ocsf.schema.names
                    seen[nested] += len(batch)
                assert "unmapped.time_quality" not in batch.ocsf.schema.names, name
    with capsys.disabled():
        print(f"\nsecurity-datasets: {counts.total()} events, {seen} process creations")  # noqa: T201
    assert seen[True] > 50
    assert seen[False] > (200 if DEEP else 100)
    assert counts["windows.registry_add"] > 0
    assert set(counts) <= {lane.id for lane in normalizer.lanes if lane.connector == "windows"}


def _both_ways(test_data: Path) -> list[str]:
    return sorted(
        path.name.removesuffix(".log.gz")
        for path in (test_data / "zeek-twins" / "zeek-default").glob("*.log.gz")
    )


def test_zeek_logs_are_equal_in_both_formats(test_data: Path, normalizer: Normalizer) -> None:
    folder = test_data / "zeek-twins"
    compared = 0
    for name in _both_ways(test_data):
        tsv = _open(folder / "zeek-default" / f"{name}.log.gz")
        as_json = _open(folder / "zeek-json" / f"{name}.json.gz")
        one = _rows(*_normalize(normalizer, tsv, Framing.ZEEK_TSV))
        other = _rows(*_normalize(normalizer, as_json))
        assert one == other, name
        compared += len(one)
    assert compared >= 10_565


def _rows(decoded: Decoded, batches: Sequence[EventBatch]) -> list[object]:
    """Lane, time and OCSF of each record, in their order."""
    found = {
        identifier: (batch.lane.id, time, ocsf)
        for batch in batches
        for identifier, time, ocsf in zip(
            batch.event_ids.to_pylist(),
            batch.times.to_pylist(),
            batch.ocsf_rows(range(len(batch))),
            strict=True,
        )
    }
    return [found[identifier] for identifier in _ids(decoded)]


def test_suricata_alerts_are_findings(test_data: Path, normalizer: Normalizer) -> None:
    counts: Counter[str] = Counter()
    for payload in _json_files(test_data / "suricata-eve-alerts" / "samples.tar.xz"):
        counts += _lanes(normalizer, payload)
    assert counts == {"suricata.alert": 548}


def test_cloudtrail_events_are_calls(test_data: Path, normalizer: Normalizer) -> None:
    counts: Counter[str] = Counter()
    for payload in _json_files(test_data / "cloudtrail-stratus" / "detonation-logs.tar.xz"):
        counts += _lanes(normalizer, payload)
    assert counts.total() == 150
    assert all(lane.startswith("aws.") for lane in counts)


def _json_files(path: Path) -> Iterator[bytes]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".json") else None
            if content is None:
                continue
            records = json.load(io.TextIOWrapper(content))
            records = records.get("Records", [records]) if isinstance(records, dict) else records
            yield b"\n".join(json.dumps(record).encode() for record in records)


def test_failed_sign_ins_name_their_address(test_data: Path, normalizer: Normalizer) -> None:
    """Of the lines fail2ban's tests mark as a failure, those that carry an address give it."""
    with tarfile.open(test_data / "fail2ban-auth-logs" / "logs.tar.xz") as archive:
        member = archive.extractfile("fail2ban/tests/files/logs/sshd")
        assert member is not None
        lines = member.read().decode("utf-8", "replace").splitlines()
    right = told = 0
    expected: dict[str, object] = {}
    for line in lines:
        if line.startswith("# failJSON:"):
            expected = json.loads(line.partition("failJSON:")[2])
        elif line.strip() and not line.startswith("#"):
            host = str(expected.get("host"))
            if expected.get("match") and host in line:
                told += 1
                (batch,) = _normalize(normalizer, line.encode())[1]
                row = batch.ocsf_rows([0])[0]
                right += host in (row.get("src_endpoint.ip"), row.get("src_endpoint.hostname"))
            expected = {}
    assert told > 80
    assert right / told > 0.95
