"""Lines of any length are cut into batches that know their line numbers."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest import limits
from tocsin.ingest.cutting import cutting, line_cutter
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.line_cutter import cut_headed, cut_lines
from tocsin.model.record import Framing, RawBatch, Unreadable

MAKER = Maker("web", "web.log", datetime(2026, 3, 1, tzinfo=UTC))


def numbered(content: bytes) -> dict[int, bytes]:
    """Every line that is not blank by the number its batch gives it."""
    lines: dict[int, bytes] = {}
    for item in cut_lines(io.BytesIO(content), MAKER):
        if isinstance(item, Unreadable):
            lines[item.ordinal] = lines.get(item.ordinal, b"") + item.payload
            continue
        for number, line in enumerate(item.payload.split(b"\n"), item.first_ordinal):
            if line.strip():
                assert number not in lines
                lines[number] = line
    return lines


@given(
    st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"")), max_size=60),
    st.integers(1, 64),
    st.integers(1, 7),
    st.integers(8, 80),
)
def test_no_line_is_lost_and_each_keeps_its_number(
    lines: list[bytes], batch_bytes: int, batch_records: int, record_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (cutting, line_cutter):
            patch.setattr(module, "BATCH_BYTES", batch_bytes)
            patch.setattr(module, "RECORD_BYTES", record_bytes)
            patch.setattr(module, "BATCH_RECORDS", batch_records)
        found = numbered(b"\n".join(lines))
    expected = {number: line for number, line in enumerate(lines, 1) if line.strip()}
    assert found == expected


def test_batches_stay_within_their_limits() -> None:
    content = b"x" * 90 + b"\n"
    batches = [
        item
        for item in cut_lines(io.BytesIO(content * 30_000), MAKER)
        if isinstance(item, RawBatch)
    ]
    assert all(len(batch.payload) <= limits.BATCH_BYTES for batch in batches)
    assert all(batch.payload.count(b"\n") <= limits.BATCH_RECORDS for batch in batches)
    assert sum(batch.payload.count(b"x" * 90) for batch in batches) == 30_000


def test_a_long_line_is_kept_whole_between_its_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_cutter, "RECORD_BYTES", 3 << 20)
    long = b"x" * (5 << 20)
    items = list(cut_lines(io.BytesIO(b"before\n" + long + b"\nafter\nend"), MAKER))
    (item,) = [item for item in items if isinstance(item, Unreadable)]
    assert (item.ordinal, item.payload) == (2, long)
    assert "record of 5,242,880 bytes" in item.reason
    assert numbered(b"before\n" + long + b"\nafter\nend")[4] == b"end"


def test_a_line_over_what_can_be_kept_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_cutter, "RECORD_BYTES", 4 << 20)
    monkeypatch.setattr(line_cutter, "KEPT_BYTES", 8 << 20)
    items = list(cut_lines(io.BytesIO(b"y" * (20 << 20) + b"\nnext"), MAKER))
    pieces = [item for item in items if isinstance(item, Unreadable)]
    assert b"".join(piece.payload for piece in pieces)[: 16 << 20] == b"y" * (16 << 20)
    assert {piece.ordinal for piece in pieces} == {1}


def test_zeek_batches_each_begin_with_the_header_in_force() -> None:
    first = b"#separator \\x09\n#path\tconn\n#fields\tts\n#types\ttime\n1.0\n2.0\n#close\tx\n"
    second = b"#separator \\x09\n#path\tdns\n#fields\tts\n#types\ttime\n3.0\n"
    batches = [
        i
        for i in cut_headed(io.BytesIO(first + second), MAKER, Framing.ZEEK_TSV)
        if isinstance(i, RawBatch)
    ]
    assert [(batch.first_ordinal, batch.payload.split(b"\n")[1]) for batch in batches] == [
        (5, b"#path\tconn"),
        (12, b"#path\tdns"),
    ]
    assert batches[1].payload.rstrip().endswith(b"\n3.0")
