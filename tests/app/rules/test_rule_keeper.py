"""Rules are taken up from their files while all runs, and never lost to a slip of the pen."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app.access.audit import AuditLog
from tocsin.app.rules.rule_keeper import RuleKeeper
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.store.engines.state.sqlite_state import SqliteState

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULE = """
title: {title}
id: {id}
status: test
name: {name}
logsource: {{product: linux, service: sshd}}
detection:
    selection:
        message|contains: "{word}"
    condition: selection
level: low
"""
COUNT = """
title: Many of them
id: 6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c01
status: test
correlation:
    type: event_count
    rules: [refused]
    group-by: [host]
    timespan: 5m
    condition: {gte: 3}
level: high
"""
FIRST = "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01"
SECOND = "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a02"


class Desk:
    """A keeper on a folder of rules, and what it put in force."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules"
        self.rules.mkdir()
        self.write("first", title="Refused", id=FIRST, name="refused", word="Failed password")
        self.state = SqliteState(folder / "state.db")
        self.audit = AuditLog()
        self.keeper = RuleKeeper(lambda: [self.rules], folder / "cache", self.state, self.audit)
        self.swapped: list[RuleSet] = []
        self.keeper.on_change(self.swapped.append)

    def write(self, file: str, text: str = "", **parts: str) -> None:
        (self.rules / f"{file}.yml").write_text(text or RULE.format(**parts))

    def titles(self) -> set[str]:
        return {rule.title for rule in self.keeper.ruleset.all_rules()}

    def entries(self) -> list[dict[str, object]]:
        with self.state.read() as tx:
            return [json.loads(one.detail) for one in self.audit.page(tx).items]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.state.close()


def test_nothing_happens_while_no_file_changes(desk: Desk) -> None:
    assert desk.keeper.look(NOW) is None
    assert desk.swapped == []


def test_a_new_file_comes_in_force_and_is_kept_in_the_audit_chain(desk: Desk) -> None:
    desk.write("second", title="Accepted", id=SECOND, name="accepted", word="Accepted")
    told = desk.keeper.look(NOW)
    assert told is not None
    assert (told.added, told.changed, told.removed) == ((SECOND,), (), ())
    assert desk.swapped == [desk.keeper.ruleset]
    assert desk.titles() == {"Refused", "Accepted"}
    assert desk.entries()[0]["added"] == [SECOND]
    assert desk.keeper.look(NOW) is None


def test_a_changed_file_replaces_its_rule_only(desk: Desk) -> None:
    desk.write("first", title="Refused again", id=FIRST, name="refused", word="Failed")
    told = desk.keeper.look(NOW)
    assert told is not None
    assert (told.added, told.changed, told.removed) == ((), (FIRST,), ())
    assert desk.titles() == {"Refused again"}


def test_a_removed_file_takes_its_rule_out_of_force(desk: Desk) -> None:
    (desk.rules / "first.yml").unlink()
    told = desk.keeper.look(NOW)
    assert told is not None
    assert told.removed == (FIRST,)
    assert desk.titles() == set()


@pytest.mark.parametrize(
    "broken",
    [
        "title: [never closed",
        RULE.format(title="Refused", id=FIRST, name="refused", word="x").replace(
            "selection\n", "nope\n"
        ),
    ],
    ids=["no YAML", "no rule"],
)
def test_a_file_that_cant_be_used_leaves_its_rule_in_force(desk: Desk, broken: str) -> None:
    before = desk.keeper.ruleset.rules
    desk.write("first", broken)
    told = desk.keeper.look(NOW)
    assert told is not None
    assert told.kept == (FIRST,)
    assert not told.is_change
    assert desk.swapped == []
    assert desk.keeper.ruleset.rules == before
    (problem,) = desk.keeper.ruleset.problems
    assert problem.path.endswith("first.yml")
    assert "the version loaded before stays in force" in problem.reason
    assert "1 kept" in told.in_words()


def test_a_mended_file_is_taken_up_again(desk: Desk) -> None:
    desk.write("first", "title: [never closed")
    desk.keeper.look(NOW)
    desk.write("first", title="Mended", id=FIRST, name="refused", word="Failed")
    desk.keeper.look(NOW)
    assert desk.titles() == {"Mended"}
    assert desk.keeper.ruleset.problems == ()


def test_a_correlation_stays_with_the_old_version_of_what_it_counts(desk: Desk) -> None:
    desk.write("count", COUNT)
    desk.keeper.look(NOW)
    assert desk.keeper.ruleset.silent == {FIRST}
    desk.write("first", "title: [never closed")
    told = desk.keeper.look(NOW)
    assert told is not None
    assert not told.is_change
    ruleset = desk.keeper.ruleset
    assert [one.rule.title for one in ruleset.stateful] == ["Many of them"]
    assert ruleset.by_id(FIRST) is not None
    assert ruleset.silent == {FIRST}


def test_a_correlation_goes_with_the_rule_it_counts(desk: Desk) -> None:
    desk.write("count", COUNT)
    desk.keeper.look(NOW)
    (desk.rules / "first.yml").unlink()
    desk.keeper.look(NOW)
    assert desk.keeper.ruleset.rules == ()
    assert [one.title for one in desk.keeper.ruleset.problems] == ["Many of them"]


def test_who_asks_is_kept_even_when_nothing_changed(desk: Desk) -> None:
    told = desk.keeper.reload("ada.lind", NOW)
    assert told.in_words() == "nothing has changed"
    with desk.state.read() as tx:
        (entry,) = desk.audit.page(tx).items
    assert (entry.actor, entry.action) == ("ada.lind", "rules.reload")
