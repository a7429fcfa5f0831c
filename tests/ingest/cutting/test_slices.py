"""Slices of a file hold all of its records, each once, whoever reads them."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.cutting.evtx_cutter import CHUNK_BYTES, HEADER_BYTES
from tocsin.ingest.cutting.recognition import Shape
from tocsin.ingest.cutting.slices import Slice, lines_in, read_slice, records_in, slices_of
from tocsin.model.record import RawBatch

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LENGTHS = st.lists(st.integers(0, 90), min_size=1, max_size=60)


@given(lengths=LENGTHS, slice_bytes=st.integers(1, 700))
def test_every_line_is_in_one_slice(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], slice_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.txt"
    lines = [b"%d " % at + b"x" * length for at, length in enumerate(lengths)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    slices = list(slices_of(path, slice_bytes, NOW))
    assert [line for part in slices for line in read(part)] == lines
    if slices[0].end is not None:
        assert sum(map(lines_in, slices)) == len(lines)
        assert [part.end for part in slices[:-1]] == [part.start for part in slices[1:]]


def read(part: Slice) -> list[bytes]:
    cuts = [cut for cut, _ in read_slice(part)]
    return [line for cut in cuts if isinstance(cut, RawBatch) for line in cut.payload.splitlines()]


def test_the_last_slices_of_a_large_file_are_smaller(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"a line\n" * 1_000)
    sizes = [part.size_bytes for part in slices_of(path, 1_000, NOW)]
    assert sizes == [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 500, 250, 250]
    assert [part.size_bytes for part in slices_of(path, 2_000, NOW)] == [2_000, 2_000, 2_000, 1_000]


def test_a_slice_of_an_event_log_tells_its_records_unread(tmp_path: Path) -> None:
    path = tmp_path / "log.evtx"
    chunks = [chunk(1, 90), chunk(91, 150), b"\0" * CHUNK_BYTES, chunk(7, 3)]
    path.write_bytes(b"\0" * HEADER_BYTES + b"".join(chunks))
    start, end = HEADER_BYTES + CHUNK_BYTES, HEADER_BYTES + 4 * CHUNK_BYTES
    whole = Slice(str(path), "log", NOW, end - HEADER_BYTES, Shape.EVTX, HEADER_BYTES, end)
    assert records_in(whole) == 150
    rest = Slice(str(path), "log", NOW, end - start, Shape.EVTX, start, end)
    assert records_in(rest) == 60


def chunk(first: int, last: int) -> bytes:
    return struct.pack("<8sQQ", b"ElfChnk\0", first, last).ljust(CHUNK_BYTES, b"\0")
