"""The check of what is kept, from the command line."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran
from tests.kept_home import KeptHome

Tocsin = Callable[..., Ran]


def test_damage_is_named_and_mended_from_a_backup(
    tocsin: Tocsin, home: Path, tmp_path: Path
) -> None:
    place = tmp_path / "other-disk"
    with KeptHome(home).fill() as kept:
        assert tocsin("admin", "check").out.startswith("2 segments with 8 events, 1 blobs")
        tocsin("admin", "backup", place)
        (kept.folder / "events" / kept.events.segments(None, None)[0].path).write_bytes(b"")
        found = tocsin("admin", "check", "--quarantine")
        assert found.code == 2
        assert "1 damaged, 0 of them mended; 4 events are missing" in found.out
        assert "sensor" in found.out
        mended = tocsin("admin", "check", "--mend-from", place, "--json")
        assert mended.code == 0, mended.err
        assert [one["mended"] for one in mended.json["damaged"]] == [True]
        assert kept.numbers() == [0] * 4 + [1] * 4


def test_what_is_lost_is_given_up_with_a_reason(tocsin: Tocsin, home: Path) -> None:
    with KeptHome(home).fill() as kept:
        lost = kept.events.segments(None, None)[0]
        (kept.folder / "events" / lost.path).unlink()
        assert tocsin("admin", "check", "--give-up", "all").code == 3
        because = ("--because", "the disk died")
        other = tocsin("admin", "check", "--give-up", "another", *because)
        assert (other.code, "no damaged segment is named so" in other.err) == (2, True)
        done = tocsin("admin", "check", "--give-up", lost.path, *because)
        assert (done.code, "1 damaged, 0 of them mended, 1 given up" in done.out) == (0, True)
        assert tocsin("admin", "check").out.startswith("1 segments with 4 events")


def test_where_there_is_no_data_folder_it_says_so(tocsin: Tocsin, home: Path) -> None:
    told = tocsin("admin", "check")
    assert told.code == 3
    assert not home.exists()
