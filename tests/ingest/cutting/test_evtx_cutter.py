"""Windows event logs: every record that can be read is, and what can't is named."""

import io
import json
import struct
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.evtx_cutter import cut_evtx
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.decode import decode
from tocsin.model.record import RawBatch, Unreadable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MAKER = Maker("pc1", "pc1.evtx", NOW)
CHUNK = 65536


def cut(content: bytes) -> tuple[int, list[Unreadable]]:
    """How many records decode, and what is unreadable."""
    records, unreadable = 0, []
    for item in cut_evtx(io.BytesIO(content), MAKER):
        if isinstance(item, RawBatch):
            found = decode(item)
            records += len(found.records)
            unreadable += found.unreadable
        else:
            unreadable.append(item)
    return records, unreadable


def chunk_of_nothing(first: int, last: int) -> bytes:
    """A chunk that names records it does not hold."""
    head = b"ElfChnk\0" + struct.pack("<QQQQIIII", first, last, first, last, 128, 0, 512, 0)
    return head.ljust(CHUNK, b"\xaa")


HEADER = b"ElfFile\0".ljust(4096, b"\0")


def test_a_chunk_without_its_records_is_unreadable_whole() -> None:
    chunk = chunk_of_nothing(1, 12)
    records, (item,) = cut(HEADER + chunk)
    assert records == 0
    assert item.place == "pc1.evtx"
    assert item.payload == chunk
    assert "chunk 1" in item.reason
    assert "12 of its 12 records are missing" in item.reason


def test_a_file_cut_off_in_its_header_says_so() -> None:
    _, (item,) = cut(HEADER[:100])
    assert item.reason == "Windows event log cut off inside its file header"
    assert item.payload == HEADER[:100]


def test_space_set_aside_is_no_damage() -> None:
    assert cut(HEADER + bytes(2 * CHUNK)) == (0, [])


def test_noise_where_a_chunk_should_be_is_kept() -> None:
    _, (item,) = cut(HEADER + b"noise" * 100)
    assert "it does not begin like a chunk" in item.reason
    assert "the file ends at its byte 500 of 65,536" in item.reason


@given(st.binary(max_size=600), st.integers(0, 60_000))
def test_any_chunk_is_read_without_an_exception(noise: bytes, at: int) -> None:
    chunk = chunk_of_nothing(1, 3)
    cut(HEADER + chunk[:at] + noise + chunk[at + len(noise) :])


@pytest.fixture(scope="module")
def samples(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evtx")
    with tarfile.open(test_data / "evtx-attack-samples" / "evtx.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def large_sample(samples: Path, test_data: Path) -> bytes:
    """The content of the sample with most events."""
    index = (test_data / "evtx-attack-samples" / "index.jsonl").read_text(encoding="utf-8")
    largest = max(map(json.loads, index.splitlines()), key=lambda told: int(told["events"]))
    return (samples / largest["file"]).read_bytes()


def test_all_attack_samples_give_all_their_events(samples: Path, test_data: Path) -> None:
    index = test_data / "evtx-attack-samples" / "index.jsonl"
    total = 0
    for line in index.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        records = 0
        for item in read_paths([samples / told["file"]], None, NOW):
            assert isinstance(item, RawBatch), item
            found = decode(item)
            assert not found.unreadable
            assert all(isinstance(record["EventID"], int) for record in found.records)
            records += len(found.records)
        assert records == told["events"], told["file"]
        total += records
    assert total == 8255


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: 4096 + 2 * CHUNK + 30_000], "the file ends at its byte 30,000"),
        (lambda content: content[: 4096 + CHUNK] + b"\xff" * CHUNK + content[4096 + 2 * CHUNK :],
         "it does not begin like a chunk"),
        (lambda content: content[: 4096 + CHUNK + 600] + bytes(40_000)
         + content[4096 + CHUNK + 40_600 :], "records are missing"),
    ],
)  # fmt: skip
def test_a_damaged_log_gives_what_can_be_read_and_names_the_rest(
    large_sample: bytes, damage: Callable[[bytes], bytes], reason: str
) -> None:
    whole, nothing = cut(large_sample)
    assert not nothing
    records, unreadable = cut(damage(large_sample))
    assert 0 < records < whole
    assert any(reason in item.reason for item in unreadable)
    assert all(item.payload for item in unreadable)
