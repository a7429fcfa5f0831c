"""Files of every format are told by their content and read without losing a record."""

import gzip
import json
import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
import zstandard

from tocsin.ingest.cutting.files import read_paths, source_name
from tocsin.ingest.cutting.zstd_stream import ZstdStream
from tocsin.ingest.decode import decode
from tocsin.ingest.errors import IngestError
from tocsin.model.record import RawBatch, Unreadable

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def read(*paths: Path) -> tuple[list[dict[str, object]], list[Unreadable]]:
    records: list[dict[str, object]] = []
    unreadable: list[Unreadable] = []
    for item in read_paths(paths, None, NOW):
        if isinstance(item, RawBatch):
            found = decode(item)
            records += found.records
            unreadable += found.unreadable
        else:
            unreadable.append(item)
    return records, unreadable


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


RECORDS = [{"a": 1, "b": {"c": "x]}"}}, {"a": 2}, {"a": 3}]
AS_LINES = b"\n".join(json.dumps(record).encode() for record in RECORDS)


@pytest.mark.parametrize(
    "content",
    [
        AS_LINES,
        AS_LINES + b"\n",
        b"\xef\xbb\xbf" + AS_LINES,
        b"\r\n\r\n" + AS_LINES.replace(b"\n", b"\r\n"),
        b"\xff\xfe" + AS_LINES.decode().encode("utf-16-le"),
        b"\xfe\xff" + AS_LINES.decode().encode("utf-16-be"),
        json.dumps(RECORDS).encode(),
        json.dumps(RECORDS, indent=4).encode(),
        json.dumps({"Records": RECORDS}).encode(),
        json.dumps({"Records": RECORDS}, indent=1).encode(),
        b"\n".join(json.dumps(record, indent=2).encode() for record in RECORDS),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_json_of_every_shape_gives_the_same_records(
    tmp_path: Path, content: bytes, packed: bool
) -> None:
    path = written(tmp_path, "odd.name", gzip.compress(content) if packed else content)
    assert read(path) == (RECORDS, [])


def test_a_broken_first_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", b'{"a":1,\n{"a":2}\n{"a":"cut\n{"a":3}\n')
    records, unreadable = read(path)
    assert records == [{"a": 2}, {"a": 3}]
    assert [(item.place, item.ordinal) for item in unreadable] == [(str(path), 1), (str(path), 3)]


def test_text_that_begins_with_a_bracket_is_text(tmp_path: Path) -> None:
    line = b"[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] denied"
    assert read(written(tmp_path, "error.log", line)) == ([{"message": line.decode()}], [])


def test_folders_are_walked_and_sources_named_after_files(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    written(tmp_path / "deep" / "er", "conn.json.gz", gzip.compress(b'{"a":1}'))
    written(tmp_path / "deep", "auth.log", b"words")
    written(tmp_path, "empty", b"")
    found = list(read_paths([tmp_path], None, NOW))
    assert [item.source for item in found] == ["auth", "conn"]
    assert [item.source for item in read_paths([tmp_path], "mine", NOW)] == ["mine", "mine"]
    assert source_name(Path("/x/.hidden.log")) == "hidden"


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path, name, b"line\n" * 1000)
    seen: list[tuple[int, int]] = []
    list(read_paths([tmp_path], None, NOW, lambda done, total: seen.append((done, total))))
    assert seen[-1] == (10_000, 10_000)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_missing_path_is_told_before_anything_is_read(tmp_path: Path) -> None:
    good = written(tmp_path, "a.log", b"x")
    with pytest.raises(IngestError, match=r"gone\.log can't be read \(No such file"):
        next(read_paths([good, tmp_path / "gone.log"], None, NOW))


@pytest.mark.parametrize("kept", [20, 4_000, 20_000])
def test_a_gzip_file_that_is_cut_off_gives_what_it_holds(tmp_path: Path, kept: int) -> None:
    lines = b"".join(
        b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(8).hex().encode()) for n in range(5000)
    )
    path = written(tmp_path, "cut.gz", gzip.compress(lines)[:kept])
    records, unreadable = read(path)
    assert [record["n"] for record in records] == list(range(len(records)))
    assert len(records) >= (kept - 20) // 40
    assert any("can't be read on after" in item.reason for item in unreadable)
    assert all(item.place == str(path) for item in unreadable)


def test_zstd_is_unpacked_and_a_cut_file_gives_what_it_holds(tmp_path: Path) -> None:
    lines = b"".join(
        b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(8).hex().encode()) for n in range(5000)
    )
    frames = zstandard.compress(lines[:100_000]) + zstandard.compress(lines[100_000:])
    records, unreadable = read(written(tmp_path, "whole.json.zst", frames))
    assert [record["n"] for record in records] == list(range(5000))
    assert not unreadable
    path = written(tmp_path, "cut.zst", frames[:-1000])
    records, unreadable = read(path)
    assert [record["n"] for record in records] == list(range(len(records)))
    assert any("ends before its end mark" in item.reason for item in unreadable)
    at = len(frames) * 9 // 10
    damaged = frames[:at] + bytes(1000) + frames[at + 1000 :]
    records, unreadable = read(written(tmp_path, "damaged.zst", damaged))
    assert records
    assert any("can't be read on after" in item.reason for item in unreadable)


def test_a_zstd_bomb_is_read_in_small_steps() -> None:
    content = ZstdStream(BytesIO(zstandard.compress(bytes(1 << 30))))
    assert content.read(1 << 16) == bytes(1 << 16)
    assert content.waiting_bytes < 40 << 20


def test_what_is_no_log_is_refused_with_its_first_bytes(tmp_path: Path) -> None:
    content = b"\x89PNG\r\n\x1a\n" + os.urandom(100_000)
    records, (item,) = read(written(tmp_path, "picture.log", content))
    assert not records
    assert item.reason.startswith("binary of no known format")
    assert item.payload == content[: 1 << 16]


def test_a_hundred_megabyte_line_is_kept_whole_and_costs_nothing_else(tmp_path: Path) -> None:
    size = 100 << 20
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.write(b'{"a":1}\n{"a":"')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"a":2}\n')
    records, (item,) = read(path)
    assert records == [{"a": 1}, {"a": 2}]
    assert item.ordinal == 2
    assert len(item.payload) == size + len(b'{"a":""}')
    assert "over the 16,777,216 limit" in item.reason
