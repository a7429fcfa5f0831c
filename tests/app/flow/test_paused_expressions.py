"""A rule whose expression used up its time pauses aloud, and what it has missed is filled."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.app.rules.test_rule_looks import RULE, Desk, rule_text
from tocsin.app.flow.rule_budget import RuleBudget
from tocsin.detect.explaining.reach import Obstacle

PATTERN = "who(?=ami)"
"""RE2 has no lookahead: this one is searched for by an engine without a bound of its own."""


class Clock:
    """What the engine's patience counts by."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    made.rule(rule_text().replace("Image|endswith: '\\whoami.exe'", f"CommandLine|re: '{PATTERN}'"))
    yield made
    made.house.close()


@pytest.fixture
def clock(desk: Desk) -> Clock:
    made = Clock()
    desk.house.engine._patience._now = made
    return made


@pytest.fixture
def budget(desk: Desk) -> RuleBudget:
    house = desk.house
    made = RuleBudget(house.engine, house.flow, share=0.2, burst_s=30.0)
    house.reach._at_present = made.reach
    return made


def used_up(desk: Desk) -> None:
    """The expression has taken more than its burst."""
    desk.house.engine._patience._accounts[PATTERN].left_s = -1.0
    desk.house.engine._patience._accounts[PATTERN].paused = True


def test_what_is_missed_while_an_expression_pauses_is_a_gap_that_is_filled(
    desk: Desk, clock: Clock, budget: RuleBudget
) -> None:
    desk.events(1)
    assert desk.found() == 1
    used_up(desk)
    desk.events(2, "whoami-two")
    assert desk.found() == 1
    (gap,) = desk.looks().gaps
    assert (gap.cause, gap.until) == ("budget", None)
    reach = desk.house.reach.verdicts()[RULE]
    assert reach.obstacle is Obstacle.OVER_BUDGET
    assert "an expression of it used up its time" in reach.reason
    budget.look(datetime.now(UTC))
    assert desk.house.flow.held == {RULE}
    clock.at_s += 3600.0
    budget.look(datetime.now(UTC))
    assert not desk.house.flow.held
    desk.events(1, "whoami-three")
    assert desk.found() == 2
    (gap,) = desk.looks().gaps
    assert gap.until is not None
    filled = desk.fill(gap)
    assert (filled.events, filled.findings, filled.damage) == (2, 2, "")
    assert desk.looks().gaps == ()
    assert desk.found() == 4


def test_a_fill_that_an_expression_does_not_get_through_says_so_and_leaves_the_gap(
    desk: Desk, clock: Clock, budget: RuleBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.events(1)
    used_up(desk)
    desk.events(1, "whoami-two")
    desk.events(1, "whoami-three")
    clock.at_s += 3600.0
    budget.look(datetime.now(UTC))
    desk.events(1)
    monkeypatch.setattr("tocsin.detect.rules.patience._BURST_S", 0.0)
    (gap,) = desk.looks().gaps
    filled = desk.fill(gap)
    assert f"an expression of rule {RULE} takes too long: 1 values" in filled.damage
    assert desk.looks().gaps == (gap,)
