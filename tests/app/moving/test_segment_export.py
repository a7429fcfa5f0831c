"""An export is a whole set of segments, changed in one go, and costs only what is new."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.kept_home import KeptHome
from tocsin.app.backups.backup_generation import BackupError
from tocsin.app.moving.segment_export import export_segments


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptHome]:
    with KeptHome(tmp_path / "home").fill() as home:
        yield home


def numbers(lake: Path) -> list[int]:
    found = duckdb.read_parquet(f"{lake}/current/*.parquet").project("native.n::INT AS n")
    return sorted(row[0] for row in found.fetchall())


def test_it_follows_the_store_and_keeps_the_set_before(kept: KeptHome, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    made = export_segments(kept.folder, kept.state, lake)
    assert (made.segments, made.events, made.copied_bytes) == (2, 8, 0)
    first = (lake / "current").resolve()
    kept.store(2)
    assert kept.events.merge_small() == 3
    again = export_segments(kept.folder, kept.state, lake)
    assert (again.segments, again.events) == (1, 12)
    assert numbers(lake) == [0] * 4 + [1] * 4 + [2] * 4
    assert len(list(first.glob("*.parquet"))) == 2
    export_segments(kept.folder, kept.state, lake)
    assert not first.exists()
    assert len(list((lake / "sets").iterdir())) == 2
    (told,) = map(json.loads, (lake / "current" / "segments.ndjson").read_text().splitlines())
    assert (told["events"], told["sources"]) == (12, ["sensor"])


def test_on_another_disk_only_new_ones_are_copied(
    kept: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def another_disk(source: Path, to: Path) -> None:
        if kept.folder in Path(source).parents:
            raise OSError(18, "Invalid cross-device link")
        link(source, to)

    sizes = [one.size_bytes for one in kept.events.segments(None, None)]
    with monkeypatch.context() as patched:
        patched.setattr("tocsin.app.moving.segment_export.os.link", another_disk)
        assert export_segments(kept.folder, kept.state, tmp_path / "lake").copied_bytes == sum(
            sizes
        )
        new = kept.store(2)
        assert (
            export_segments(kept.folder, kept.state, tmp_path / "lake").copied_bytes
            == new.size_bytes
        )


def test_what_can_not_be_given_is_named(kept: KeptHome, tmp_path: Path) -> None:
    bad = kept.events.segments(None, None)[0]
    (kept.folder / "events" / bad.path).unlink()
    made = export_segments(kept.folder, kept.state, tmp_path / "lake")
    assert [(one.path, one.reason, one.events) for one in made.left_out] == [
        (bad.path, "is gone", 4)
    ]
    assert numbers(tmp_path / "lake") == [1] * 4


def test_a_segment_merged_away_meanwhile_is_not_in_it_twice(kept: KeptHome, tmp_path: Path) -> None:
    kept.store(2)
    merged: list[int] = []

    def meanwhile(_done: int, _total: int) -> None:
        if not merged:
            merged.append(kept.events.merge_small())

    made = export_segments(kept.folder, kept.state, tmp_path / "lake", on_progress=meanwhile)
    assert (merged, made.segments, made.events) == ([3], 1, 12)
    assert numbers(tmp_path / "lake") == [0] * 4 + [1] * 4 + [2] * 4


def test_what_a_killed_export_left_goes_with_the_next(kept: KeptHome, tmp_path: Path) -> None:
    (tmp_path / "lake" / "sets" / ".20261122").mkdir(parents=True)
    export_segments(kept.folder, kept.state, tmp_path / "lake")
    assert not (tmp_path / "lake" / "sets" / ".20261122").exists()


def test_a_folder_of_something_else_is_left_alone(kept: KeptHome, tmp_path: Path) -> None:
    (tmp_path / "lake" / "current").mkdir(parents=True)
    with pytest.raises(BackupError, match="give another folder"):
        export_segments(kept.folder, kept.state, tmp_path / "lake")
