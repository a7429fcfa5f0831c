"""A rule that costs too much pauses aloud while others go on, comes back, and is filled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.app.rules.test_rule_looks import COUNT, COUNTING, RULE, Desk, rule_text
from tocsin.app.flow.rule_budget import RuleBudget
from tocsin.detect.explaining.reach import Obstacle

CHEAP = "cccccccc-0000-4000-8000-00000000000c"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    other = rule_text().replace(RULE, CHEAP).replace("name: whoami", "name: cheap")
    (made.home / "rules" / "cheap.yml").write_text(other.replace("Whoami", "Cheap"))
    made.rule(rule_text() + "---" + COUNTING)
    yield made
    made.house.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(desk: Desk, clock: Clock) -> RuleBudget:
    """A tenth of a core, two seconds at once; charged to the rule by ``spend``."""
    house = desk.house
    made = RuleBudget(house.engine, house.flow, share=0.1, burst_s=2.0, clock=clock)
    house.reach._at_present = made.reach
    return made


def spend(desk: Desk, cpu_s: float) -> None:
    desk.house.engine._tools.cpu_s[RULE] += cpu_s


def test_a_dear_rule_pauses_while_others_go_on_and_comes_back(
    desk: Desk, clock: Clock, budget: RuleBudget
) -> None:
    now = datetime.now(UTC)
    desk.events(1)
    budget.look(now)
    assert not budget.over()
    spend(desk, 2.5)
    clock.at_s += 1.0
    budget.look(now)
    (spent,) = budget.over().values()
    assert spent.share == pytest.approx(2.5, abs=0.1)
    desk.events(4)
    assert (desk.found(RULE), desk.found(CHEAP)) == (1, 5)
    verdicts = desk.house.reach.verdicts()
    assert verdicts[RULE].obstacle is Obstacle.OVER_BUDGET
    assert "250% of a core, 10% is allowed" in verdicts[RULE].reason
    assert verdicts[COUNT].obstacle is Obstacle.OVER_BUDGET
    assert verdicts[CHEAP].can_match
    clock.at_s += 5.0
    budget.look(now + timedelta(seconds=5))
    assert budget.over(), "it has not earned enough yet"
    clock.at_s += 20.0
    budget.look(now + timedelta(seconds=25))
    assert not budget.over()
    assert desk.house.reach.verdicts()[RULE].can_match
    desk.events(1)
    assert (desk.found(RULE), desk.found(CHEAP)) == (2, 6)
    (gap,) = desk.looks().gaps
    assert gap.cause == "budget"
    assert desk.looks(CHEAP).gaps == ()


def test_a_pausing_rule_stays_so_when_rules_change(
    desk: Desk, clock: Clock, budget: RuleBudget
) -> None:
    spend(desk, 9.0)
    clock.at_s += 1.0
    budget.look(datetime.now(UTC))
    desk.rule(rule_text("hostname").replace(RULE, CHEAP), "cheap")
    desk.events(2)
    assert desk.found(RULE) == 0
    assert [gap.until for gap in desk.looks().gaps] == [None]


def test_one_batch_silences_a_rule_for_a_bounded_time(
    desk: Desk, clock: Clock, budget: RuleBudget
) -> None:
    spend(desk, 1e6)
    clock.at_s += 1.0
    budget.look(datetime.now(UTC))
    assert budget.over()
    clock.at_s += (5 * 2.0 + 1.0) / 0.1 + 1
    budget.look(datetime.now(UTC))
    assert not budget.over()


def test_a_rule_over_its_budget_is_a_health_alert(
    desk: Desk, clock: Clock, budget: RuleBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Path("src/tocsin/content/rules/tocsin/rule_over_budget.yml")
    desk.rule(shipped.read_text(), "over")
    spend(desk, 9.0)
    clock.at_s += 1.0
    now = datetime.now(UTC)
    budget.look(now)
    monkeypatch.setattr(desk.house.budget, "spent", budget.spent)
    assert desk.house.upkeep.judge_health(now + timedelta(seconds=30)) == 1
    with desk.house.state.read() as tx:
        (alert,) = desk.house.alerts.page(tx).items
    assert "pauses" in alert.rule_title
    assert "Whoami is run" in str(alert.exemplars)
