"""Mapping files: what is wrong in one is said with file and line."""

from pathlib import Path

import pytest

from tocsin.normalize.errors import MappingError
from tocsin.normalize.mapping import load_mapping

HEAD = "connector: demo\nvendor: V\nproduct_name: P\nproduct: p\n"


def _problem(folder: Path, text: str) -> str:
    path = folder / "mapping.yml"
    path.write_text(text)
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    return str(caught.value)


def test_an_unknown_word_is_named_with_its_line(tmp_path: Path) -> None:
    text = HEAD + "shapes:\n  - name: one\n    map:\n      message: {feild: a}\n"
    assert f"{tmp_path}/mapping.yml:8: " in _problem(tmp_path, text)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    problem = _problem(tmp_path, HEAD + "shapes: [\n  {name: one\n")
    assert "mapping.yml:7: is not valid YAML" in problem


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ("{name: one, class: no_such}", "no class of OCSF"),
        ("{name: one, use: [nothing]}", "unknown fragment 'nothing'"),
        ("{name: one, patterns: [{regex: '(a'}]}", "not a regular expression RE2 knows"),
        ("{name: one, patterns: [{regex: '(a)'}]}", "must be named"),
        ("{name: one}\n  - {name: one}", "shapes of the same name: one"),
    ],
)
def test_what_can_not_work_is_refused(tmp_path: Path, shape: str, why: str) -> None:
    assert why in _problem(tmp_path, HEAD + f"shapes:\n  - {shape}\n")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="can't be read"):
        load_mapping(tmp_path / "mapping.yml")


def test_a_table_is_expected(tmp_path: Path) -> None:
    assert "must hold a table" in _problem(tmp_path, "- a\n")


def test_included_files_add_shapes_and_are_named_in_problems(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("shapes:\n  - {name: two}\n")
    path = tmp_path / "mapping.yml"
    path.write_text(HEAD + "include: [more.yml]\nshapes:\n  - {name: one}\n")
    assert [shape.name for shape in load_mapping(path).shapes] == ["one", "two"]
    (tmp_path / "more.yml").write_text("shapes:\n  - {name: two, bogus: 1}\n")
    with pytest.raises(MappingError, match=r"more\.yml:2: "):
        load_mapping(path)
