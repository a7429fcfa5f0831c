"""The check that a newcomer's folder must pass says clearly what is wrong."""

from pathlib import Path

import pytest

from tocsin.ingest.decode import decode
from tocsin.normalize.check import check_folder, write_expected

MAPPING = """\
connector: door
vendor: Example
product_name: Door
product: door
recognize: {badge: {present: true}}
time: [{field: at}]
shapes:
  - name: swipe
    class: base_event
    map:
      message: {template: "badge {badge} at {door}"}
"""
SAMPLE = '{"badge": 7, "door": "north", "at": "2026-06-30T08:00:00Z", "more": {"x": [1, null]}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mapping.yml").write_text(MAPPING)
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "swipe.json").write_text(SAMPLE)
    return tmp_path


def test_a_complete_folder_has_no_problem(folder: Path) -> None:
    (written,) = write_expected(folder, decode)
    assert written.name == "swipe.ocsf.json"
    assert check_folder(folder, decode) == []


def test_a_sample_without_expectation_is_named(folder: Path) -> None:
    (problem,) = check_folder(folder, decode)
    assert "swipe.json: has no swipe.ocsf.json beside it" in problem


def test_a_changed_mapping_is_noticed(folder: Path) -> None:
    write_expected(folder, decode)
    (folder / "mapping.yml").write_text(MAPPING.replace("badge {badge}", "Badge {badge}"))
    (problem,) = check_folder(folder, decode)
    assert "maps otherwise than swipe.ocsf.json says" in problem


def test_a_sample_taken_for_something_else_is_named(folder: Path) -> None:
    (folder / "samples" / "swipe.json").write_text('{"nothing": 1}')
    assert any("is taken for unknown.record" in problem for problem in check_folder(folder, decode))


def test_no_sample_is_a_problem(folder: Path) -> None:
    (folder / "samples" / "swipe.json").unlink()
    (problem,) = check_folder(folder, decode)
    assert "no sample" in problem


def test_a_broken_sample_is_a_problem(folder: Path) -> None:
    (folder / "samples" / "swipe.json").write_text("{")
    (problem,) = check_folder(folder, decode)
    assert "swipe.json" in problem


def test_a_broken_mapping_is_the_only_problem(folder: Path) -> None:
    (folder / "mapping.yml").write_text(MAPPING + "bogus: 1\n")
    (problem,) = check_folder(folder, decode)
    assert "mapping.yml:12: bogus" in problem


def test_what_the_schema_refuses_is_said(folder: Path) -> None:
    write_expected(folder, decode)
    (problem,) = check_folder(
        folder, decode, validate=lambda event: [f"class {event['class_uid']}"]
    )
    assert problem.endswith("is not valid OCSF: class 0")
