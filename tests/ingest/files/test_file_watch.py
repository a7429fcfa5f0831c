"""Files are followed over everything that happens to them, and what can't be read is told."""

import codecs
import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import ValidationError

from tests.ingest.following import Following
from tocsin.ingest.files.file_settings import FileSettings
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.model.record import Framing

LONG = "x" * 2000


def test_a_line_that_is_not_finished_waits_and_is_taken_when_it_got_old(tmp_path: Path) -> None:
    following = Following(tmp_path, partial_s=5)
    following.append("app.log", "one\ntw")
    assert following.look(3) == ["one"]
    following.append("app.log", "o\nthree")
    assert following.look() == ["two"]
    assert following.look(8) == ["three"]


def test_batches_name_the_file_and_the_line(tmp_path: Path) -> None:
    following = Following(tmp_path)
    path = following.append("app.log", "one\ntwo\n")
    following.look()
    following.append("app.log", "three\n")
    following.look()
    assert [(batch.place, batch.first_ordinal) for batch in following.batches] == [
        (str(path), 1),
        (str(path), 3),
    ]


def test_the_rest_of_a_renamed_file_is_read_though_no_pattern_names_it(tmp_path: Path) -> None:
    following = Following(tmp_path, "app.log")
    log = following.append("app.log", "one\n")
    following.look()
    log.rename(tmp_path / "app.log.1")
    following.append("app.log.1", "two\n")
    following.append("app.log", "three\n")
    assert sorted(following.look(2)) == ["three", "two"]
    following.append("app.log.1", "late\n")
    assert following.look() == ["late"]


def test_a_copy_made_before_truncation_gives_what_was_not_read(tmp_path: Path) -> None:
    """Under a name that no pattern has; that the log was truncated is told."""
    following = Following(tmp_path, "app.log")
    log = following.append("app.log", f"one {LONG}\n")
    following.look()
    following.append("app.log", "two\n")
    (tmp_path / "app.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    following.append("app.log", "three\n")
    assert sorted(following.look(2)) == ["three", "two"]
    assert following.watch.truncations == 1
    assert [one.note for one in following.kept.values() if "was truncated" in one.note]


def test_a_copy_is_not_read_while_its_original_grows(tmp_path: Path) -> None:
    following = Following(tmp_path)
    log = following.append("app.log", f"one {LONG}\n")
    following.look()
    (tmp_path / "app.log.1").write_bytes(log.read_bytes()[:1500])
    assert following.look() == []
    following.append("app.log", "two\n")
    (tmp_path / "app.log.1").write_bytes(log.read_bytes())
    assert following.look(20) == ["two"]
    log.unlink()
    assert following.look(50) == []


def test_a_file_written_anew_is_read_from_its_start_whatever_its_size(tmp_path: Path) -> None:
    following = Following(tmp_path)
    header = "# the same header in every file\n" * 40
    log = following.append("app.log", header + "one\n")
    following.look()
    log.write_text(header + "two\n")
    os.utime(log, (1, 1))
    assert following.look()[-1] == "two"
    assert following.watch.truncations == 1


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_packed_siblings_are_read_once(tmp_path: Path, ending: str) -> None:
    pack: Any = gzip.compress if ending == ".gz" else zstandard.compress
    following = Following(tmp_path)
    log = following.append("app.log", "one\n")
    following.look()
    log.rename(tmp_path / "app.log.1")
    (tmp_path / f"app.log.1{ending}").write_bytes(pack((tmp_path / "app.log.1").read_bytes()))
    assert following.look(5) == []
    (tmp_path / "app.log.1").unlink()
    (tmp_path / f"app.log.9{ending}").write_bytes(pack(b"an old one\n"))
    assert following.look(60) == ["an old one"]
    (tmp_path / f"app.log.1{ending}").rename(tmp_path / f"app.log.2{ending}")
    following.restart()
    assert following.look(10) == []


def test_a_packed_file_that_is_cut_off_gives_what_it_has_and_is_named(tmp_path: Path) -> None:
    following = Following(tmp_path)
    packed = gzip.compress(b"".join(os.urandom(20).hex().encode() + b"\n" for _ in range(2000)))
    (tmp_path / "app.log.gz").write_bytes(packed[:-2000])
    assert len(following.look(6)) > 1000
    (told,) = following.unreadable
    assert told.place.endswith("app.log.gz")
    assert "can't be read on" in told.reason
    assert following.look(5) == []


def test_from_end_begins_behind_what_is_there_and_takes_new_files_whole(tmp_path: Path) -> None:
    following = Following(tmp_path, "*.log", start="end")
    following.append("app.log", "old\nha")
    assert following.look() == []
    following.append("app.log", "lf\nnew\n")
    following.append("other.log", "first\n")
    assert following.look() == ["half", "new", "first"]
    following.restart()
    following.append("third.log", "also first\n")
    assert following.look() == ["also first"]


def test_records_of_several_lines_are_kept_together(tmp_path: Path) -> None:
    following = Following(tmp_path, multiline_start=r"\d{4}-", partial_s=5)
    following.append("app.log", "2026-01-01 broke\n  at a()\n  at b()\n2026-01-02 ")
    assert following.look() == []
    following.append("app.log", "again\n  at c()\n")
    assert following.look() == ['{"message":"2026-01-01 broke\\n  at a()\\n  at b()"}']
    assert following.look(10) == ['{"message":"2026-01-02 again\\n  at c()"}']
    assert {batch.framing for batch in following.batches} == {Framing.DOCUMENTS}


def test_every_batch_of_a_zeek_log_has_its_header(tmp_path: Path) -> None:
    following = Following(tmp_path, "*.log")
    header = "#separator \\x09\n#set_separator\t,\n#fields\tts\tuid\n#types\ttime\tstring\n"
    following.append("conn.log", header)
    assert following.look() == []
    following.append("conn.log", "1.0\tCa\n")
    following.look()
    following.restart()
    following.append("conn.log", "2.0\tCb\n")
    following.look()
    assert [batch.payload for batch in following.batches] == [
        (header + "1.0\tCa").encode(),
        (header + "2.0\tCb").encode(),
    ]
    assert [batch.first_ordinal for batch in following.batches] == [5, 6]


def test_other_encodings_come_out_as_utf_8(tmp_path: Path) -> None:
    following = Following(tmp_path, encoding="utf-16-le")
    following.append("app.log", "grüße\nĊ is no newline\nha".encode("utf-16-le"))
    assert following.look() == ["grüße", "Ċ is no newline"]
    marked = Following(tmp_path, "marked.txt")
    marked.append("marked.txt", codecs.BOM_UTF16_BE + "grüße\n".encode("utf-16-be"))
    assert marked.look() == ["grüße"]


def test_a_record_over_the_limit_is_set_aside_with_its_place(tmp_path: Path) -> None:
    following = Following(tmp_path)
    following.append("app.log", b"before\n" + b"y" * (RECORD_BYTES + 10) + b"\nafter\n")
    assert following.look() == ["before", "after"]
    assert sum(len(one.payload) for one in following.unreadable) == RECORD_BYTES + 10
    assert "from byte 7 on" in following.unreadable[0].reason
    assert following.unreadable[0].ordinal == 2


def test_json_arrays_are_read_as_a_whole_and_on_when_they_grow(tmp_path: Path) -> None:
    following = Following(tmp_path, "*.json")
    path = tmp_path / "trail.json"
    path.write_text('{"Records": [{"a": 1}, {"a": 2}]}')
    assert following.look(5) == ['{"a": 1}', '{"a": 2}']
    following.restart()
    assert following.look(5) == []


def test_what_may_not_be_read_is_told_and_read_once_it_may(tmp_path: Path) -> None:
    following = Following(tmp_path)
    locked = following.append("app.log.locked", "secret\n")
    following.append("app.log", "one\n")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    assert following.look() == ["one"]
    assert following.watch.problems == {str(locked): "can't be read: Permission denied"}
    locked.chmod(0o600)
    assert following.look() == ["secret"]
    assert following.watch.problems == {}


def test_many_files_need_few_descriptors(tmp_path: Path) -> None:
    following = Following(tmp_path, "*.log", most_open=16)
    for number in range(300):
        following.append(f"{number}.log", f"{number}\n")
    before = len(os.listdir("/proc/self/fd"))
    assert len(following.look()) == 300
    assert len(os.listdir("/proc/self/fd")) - before <= 16
    following.append("7.log", "again\n")
    assert following.look() == ["again"]
    following.watch.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"paths": ("app.log",)}, "no absolute path"),
        ({"encoding": "klingon"}, "no text encoding"),
        ({"encoding": "utf-16"}, "say the byte order"),
        ({"multiline_start": "("}, "no regular expression"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        FileSettings(**{"source": "app", "paths": ("/var/log/app.log",), **wrong})
