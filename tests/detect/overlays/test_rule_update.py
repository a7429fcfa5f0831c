"""What an update changes is told field by field, and asked about where it loosens or takes away."""

from pathlib import Path

import pytest

from tocsin.detect.overlays.rule_update import RuleUpdate, UpdateKind, updates
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import Overlay, RuleException
from tocsin.model.severity import Level

ID, OTHER = "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01", "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a02"
TEXT = """
title: Tool is run
id: 3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01
status: test
logsource: {product: windows, category: process_creation}
detection:
    selection:
        Image|endswith: '\\tool.exe'
        User: admin
    condition: selection
level: medium
"""


class Shelf:
    """Rule sets of one text each, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, *texts: str) -> RuleSet:
        (self._folder / "rule.yml").write_text("\n---\n".join(texts) or "# none")
        return load_rules([self._folder])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def updated(shelf: Shelf, after: str, overlay: Overlay | None = None) -> RuleUpdate:
    (found,) = updates(shelf.of(TEXT), shelf.of(after), {ID: overlay} if overlay else {})
    return found


def test_nothing_is_told_of_rules_that_stay(shelf: Shelf) -> None:
    assert updates(shelf.of(TEXT), shelf.of(TEXT), {ID: Overlay(ID, level=Level.LOW)}) == []


def test_each_field_is_told_with_both_sides(shelf: Shelf) -> None:
    after = TEXT.replace("Tool is run", "Tool runs").replace("tool.exe", "tools.exe")
    found = updated(shelf, after)
    assert [one.field for one in found.changed_upstream] == ["title", "detection"]
    assert found.changed_upstream[0].in_words() == "title: Tool is run → Tool runs"
    assert "-        Image|endswith: '\\tool.exe'" in found.diff
    assert "+        Image|endswith: '\\tools.exe'" in found.diff
    assert (found.asks, found.conflicts) == ((), ())


def test_a_comment_is_a_diff_and_no_more(shelf: Shelf) -> None:
    found = updated(shelf, TEXT + "# seen\n")
    assert found.changed_upstream == ()
    assert "+# seen" in found.diff


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        ("level: medium", "level: low", "its level falls from medium to low"),
        ("status: test", "status: deprecated", "its authors call it deprecated"),
    ],
)
def test_what_loosens_is_asked_about(shelf: Shelf, before: str, after: str, asked: str) -> None:
    assert updated(shelf, TEXT.replace(before, after)).asks == (asked,)
    raised = TEXT.replace("level: medium", "level: high")
    assert updated(shelf, raised).asks == ()


def test_a_rule_that_goes_is_asked_about_and_what_was_decided_is_named(shelf: Shelf) -> None:
    before, overlay = shelf.of(TEXT), Overlay(ID, level=Level.LOW)
    (found,) = updates(before, shelf.of(), {ID: overlay})
    assert found.kind is UpdateKind.REMOVED
    assert found.asks == ("the rule is removed (what you decided about it is kept)",)
    assert [one.field for one in found.changed_locally] == ["level"]


def test_a_changed_id_is_one_rule_under_another_id(shelf: Shelf) -> None:
    found = updated(shelf, TEXT.replace(ID, OTHER))
    assert (found.kind, found.rule_id, found.new_id) == (UpdateKind.RENAMED, ID, OTHER)
    assert "its id changes" in found.asks[0]


def test_a_new_rule_needs_no_asking(shelf: Shelf) -> None:
    new = TEXT.replace(ID, OTHER).replace("Tool is run", "Another")
    (found,) = updates(shelf.of(TEXT), shelf.of(TEXT, new), {})
    assert (found.kind, found.rule_id, found.asks) == (UpdateKind.ADDED, OTHER, ())


@pytest.mark.parametrize(
    ("upstream", "local", "conflicts"),
    [
        ("high", Level.LOW, ["level: was medium, is now high upstream and low here"]),
        ("high", Level.HIGH, []),
        ("medium", Level.LOW, []),
        ("high", None, []),
    ],
)
def test_a_level_conflicts_only_when_both_sides_changed_it_apart(
    shelf: Shelf, upstream: str, local: Level | None, conflicts: list[str]
) -> None:
    after = TEXT.replace("level: medium", f"level: {upstream}").replace("is run", "runs")
    found = updated(shelf, after, Overlay(ID, level=local))
    assert [one.in_words() for one in found.conflicts] == conflicts


def test_an_exception_on_a_field_the_rule_no_longer_looks_at_is_told(shelf: Shelf) -> None:
    exceptions = (
        RuleException("kept", "ann", "r", {"Image": ("x",)}),
        RuleException("lost", "ann", "r", {"User|contains": ("x",), "Parent": ("y",)}),
    )
    after = TEXT.replace("        User: admin\n", "")
    found = updated(shelf, after, Overlay(ID, exceptions=exceptions))
    (conflict,) = found.conflicts
    assert conflict.field == "exception lost"
    assert "no longer looks at User" in conflict.in_words()


def test_those_to_ask_about_come_first(shelf: Shelf) -> None:
    zebra = TEXT.replace(ID, OTHER).replace("Tool is run", "Zebra")
    before = shelf.of(TEXT, zebra)
    after = shelf.of(
        TEXT.replace("admin", "root"), zebra.replace("level: medium", "level: informational")
    )
    assert [one.title for one in updates(before, after, {})] == ["Zebra", "Tool is run"]
