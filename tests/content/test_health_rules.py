"""Every shipped health rule watches what is really measured and tells a trouble at its time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

import tocsin
from tests.kept_events import store_events
from tocsin.app.flow.rule_budget import Spent
from tocsin.app.flow.watch_tables import HEALTH_EPISODES
from tocsin.app.health import health_round
from tocsin.app.health.health_measures import Measured
from tocsin.app.health.health_watch import judge, mark_told
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import open_tocsin
from tocsin.detect.reading.ruleset import load_rules
from tocsin.detect.rules.health_metrics import METRICS
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.stateful_rule import Comparison
from tocsin.ingest.sources.rates import SourceRate
from tocsin.model.finding import Finding
from tocsin.store.engines.state.sqlite_state import SqliteState

HEALTH = load_rules([Path(tocsin.__file__).parent / "content" / "rules" / "tocsin"]).health
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
BEYOND = {
    Comparison.LESS: (0.5, 1.0),
    Comparison.LESS_EQUAL: (1.0, 1.5),
    Comparison.GREATER: (1.5, 1.0),
    Comparison.GREATER_EQUAL: (1.0, 0.5),
}
"""By comparison: shares of the bound that hold it, and that do not."""
Look = Callable[[HealthRule, Sequence[Measured], datetime], list[Finding]]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path_factory.mktemp("health") / "state.db")
    yield store
    store.close()


@pytest.fixture
def look(state: SqliteState) -> Look:
    with state.begin() as tx:
        tx.execute(delete(HEALTH_EPISODES))

    def looked(one: HealthRule, measured: Sequence[Measured], now: datetime) -> list[Finding]:
        with state.begin() as tx:
            found = judge(tx, [one], measured, now)
            mark_told(tx, found)
        return found

    return looked


def values(one: HealthRule) -> tuple[float, float]:
    """A value the rule tells of, and one at its bound or before it that it does not."""
    (bound,) = one.bounds
    holding, calm = BEYOND[bound.comparison]
    trouble = bound.value * holding if bound.value else 1.0
    return trouble, bound.value * calm


def test_there_are_enough_of_them_over_every_subject() -> None:
    assert len(HEALTH) >= 12
    assert {one.subject for one in HEALTH} == {"source", "disk", "platform", "rule"}


@pytest.mark.parametrize("one", HEALTH, ids=[one.rule.title for one in HEALTH])
def test_it_tells_once_when_the_trouble_has_lasted(one: HealthRule, look: Look) -> None:
    trouble, _ = values(one)
    bad = [Measured(one.subject, "it", one.metric, trouble)]
    early = one.lasting - timedelta(seconds=1)
    assert look(one, bad, NOW) == [] or not one.lasting
    if one.lasting:
        assert look(one, bad, NOW + early) == []
        assert len(look(one, bad, NOW + one.lasting)) == 1
    assert look(one, bad, NOW + one.lasting + timedelta(hours=1)) == []


@pytest.mark.parametrize("one", HEALTH, ids=[one.rule.title for one in HEALTH])
def test_it_is_silent_while_all_is_well_or_nothing_is_known(one: HealthRule, look: Look) -> None:
    trouble, calm = values(one)
    another = next(name for of, name in METRICS if of == one.subject and name != one.metric)
    late = NOW + one.lasting + timedelta(hours=1)
    for number in (
        Measured(one.subject, "it", one.metric, calm),
        Measured(one.subject, "it", another, trouble),
    ):
        assert look(one, [number], NOW) == []
        assert look(one, [number], late) == []
    assert look(one, [], late) == []


@pytest.mark.parametrize(
    "one",
    [one for one in HEALTH if one.lasting],
    ids=[one.rule.title for one in HEALTH if one.lasting],
)
def test_a_trouble_that_ends_between_begins_anew(one: HealthRule, look: Look) -> None:
    trouble, calm = values(one)
    bad = [Measured(one.subject, "it", one.metric, trouble)]
    well = [Measured(one.subject, "it", one.metric, calm)]
    look(one, bad, NOW)
    look(one, well, NOW + one.lasting / 2)
    assert look(one, bad, NOW + one.lasting) == []
    assert len(look(one, bad, NOW + 2 * one.lasting)) == 1


def test_all_that_can_be_watched_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, str]] = set()

    def hear(_tx: object, _rules: object, measured: Sequence[Measured], _now: object) -> list[None]:
        seen.update((one.subject, one.metric) for one in measured)
        return []

    monkeypatch.setattr(health_round, "judge", hear)
    house = open_tocsin(
        load_settings(
            home=tmp_path / "home",
            syslog__enabled=False,
            detect__shipped_pack=False,
            pull__http=[{"name": "api", "url": "http://127.0.0.1:9/"}],
        )
    )
    try:
        monkeypatch.setattr(house.budget, "spent", lambda: {"a rule": Spent(9.0, 0.5, -1.0, NOW)})
        house.upkeep.watch_doors(lambda: [("syslog/tcp", 0.5)])
        store_events(house.events, house.state, NOW - timedelta(days=3))
        house.storage_watch.look(NOW)
        house.upkeep.judge_health(NOW)
    finally:
        house.close()
    of_source = {one.name for one in fields(SourceRate)} | {"silence_s", "silence_share"}
    seen |= {("source", name) for name in of_source if ("source", name) in METRICS}
    assert seen == set(METRICS)
