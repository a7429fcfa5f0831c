"""The quick look at rule files sees what reading them would read."""

import os
from pathlib import Path

from tocsin.detect.reading.rule_stamps import stamps_of
from tocsin.detect.reading.ruleset import rule_files


def _write(path: Path, text: str = "title: x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _looked_at(*paths: Path) -> set[str]:
    return set(stamps_of(paths))


def _read(*paths: Path) -> set[str]:
    return {str(path) for path in rule_files(paths)[0]}


def test_the_same_files_are_looked_at_that_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    _write(folder / "a.yml")
    _write(folder / "deep" / "deeper" / "b.yaml")
    _write(folder / "notes.txt")
    _write(folder / "folder.yml" / "c.yml")
    elsewhere = _write(tmp_path / "elsewhere" / "d.yml")
    (folder / "link.yml").symlink_to(elsewhere)
    (folder / "linked").symlink_to(elsewhere.parent)
    (folder / "gone.yml").symlink_to(tmp_path / "nowhere.yml")
    alone = _write(tmp_path / "alone.rule")
    given = (folder, alone, tmp_path / "missing", folder)
    assert _looked_at(*given) == _read(*given)
    assert len(_looked_at(*given)) == 5


def test_a_file_that_was_changed_has_another_stamp(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a.yml"), _write(tmp_path / "b.yml")
    before = stamps_of([tmp_path])
    _write(first, "title: longer\n")
    facts = second.stat()
    os.utime(second, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    after = stamps_of([tmp_path])
    assert before.keys() == after.keys()
    assert all(before[path] != after[path] for path in before)
