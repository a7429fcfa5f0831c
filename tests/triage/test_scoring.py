"""Scores are bounded and their addends sum to them."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.severity import Level
from tocsin.triage.scoring import alert_score

names = st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=9).map(tuple)


@settings(deadline=None)
@given(
    st.sampled_from(Level),
    st.integers(1, 10**12),
    st.one_of(st.none(), st.integers(0, 3)),
    names,
    names,
)
def test_the_addends_sum_to_the_score_exactly(
    level: Level,
    count: int,
    tier: int | None,
    sources: tuple[str, ...],
    techniques: tuple[str, ...],
) -> None:
    score = alert_score(level, count, tier, sources, techniques, "r")
    assert sum(addend.points for addend in score.addends) == score.value
    assert 0 <= score.value <= 100
    assert all(addend.reason for addend in score.addends)


def value(level: Level, count: int = 1, tier: int | None = None) -> float:
    return alert_score(level, count, tier, (), (), "r").value


def test_one_finding_scores_its_level() -> None:
    assert [value(level) for level in Level] == [5, 25, 50, 75, 95]


def test_repetition_adds_less_and_less_and_never_lifts_a_rule_over_the_next_level() -> None:
    assert (
        value(Level.LOW) < value(Level.LOW, 10) < value(Level.LOW, 1000) < value(Level.LOW, 10000)
    )
    assert value(Level.LOW, 10**9) < value(Level.MEDIUM)


def test_critical_assets_weigh_more() -> None:
    tiers = [value(Level.MEDIUM, tier=tier) for tier in range(4)]
    assert tiers == sorted(tiers, reverse=True)
    assert len(set(tiers)) == 4


def test_what_bounding_takes_away_is_told() -> None:
    score = alert_score(Level.CRITICAL, 10_000, 0, ("a", "b"), (), "r")
    assert score.value == 100
    assert score.addends[-1].points < 0
    assert math.fsum(addend.points for addend in score.addends[:-1]) > 100
