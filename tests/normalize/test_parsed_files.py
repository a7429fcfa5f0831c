"""What mapping files say is known from the start before, and is the same."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from tocsin.app.home.own_mappings import shipped_mappings
from tocsin.connectors.catalog import mapping_paths
from tocsin.normalize import parsed_files
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.parsed_files import ParsedFiles


def refuse(text: str) -> None:
    raise AssertionError(f"parsed again: {text[:40]}")


def test_shipped_mappings_are_the_same_from_a_second_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shipped_mappings(tmp_path)
    monkeypatch.setattr(parsed_files, "parsed", refuse)
    again = shipped_mappings(tmp_path)
    assert again == first
    assert [one.connector for one in again] == [one.parent.name for one in mapping_paths()]


def test_a_changed_text_is_parsed_and_the_old_one_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mappings.json"
    for text, said in (("a: 1", {"a": 1}), ("a: [x, 1.0, true]", {"a": ["x", 1.0, True]})):
        texts = ParsedFiles(path)
        assert texts.parsed(text) == said
        texts.keep()
    assert b"1.0" in path.read_bytes()
    assert b'{"a":1}' not in path.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [("day: 2026-03-01", {"day": date(2026, 3, 1)}), ("1: one", {1: "one"}), ("x: .inf", None)],
)
def test_what_json_has_no_word_for_is_parsed_each_time(
    text: str, said: object, tmp_path: Path
) -> None:
    for _ in range(2):
        texts = ParsedFiles(tmp_path / "mappings.json")
        assert texts.parsed(text) == (yaml.safe_load(text) if said is None else said)
        texts.keep()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"form": 0, "texts": {}}', b"[]", b'{"form": 1}'])
def test_a_damaged_file_is_as_none(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mappings.json"
    path.write_bytes(damage)
    assert ParsedFiles(path).parsed("a: b") == {"a": "b"}


def test_a_folder_that_can_not_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = mapping_paths()[0]
    texts = ParsedFiles(tmp_path / "file" / "mappings.json")
    assert load_mapping(path, texts.parsed) == load_mapping(path)
    texts.keep()
