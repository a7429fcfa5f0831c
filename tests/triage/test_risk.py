"""Entities are ranked by the diminishing sum of their open alerts' scores."""

import math
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.alert import AlertStatus
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.alerts import AlertBook
from tocsin.triage.errors import TriageError
from tocsin.triage.risk import RiskBoard, diminishing_sum

Make = Callable[..., Finding]
BOOK, BOARD = AlertBook(), RiskBoard()
scores = st.lists(st.floats(0, 100), max_size=60)


def test_the_published_example() -> None:
    assert round(diminishing_sum([21, 70, 21, 45, 21]), 2) == 36.16


def test_nothing_is_no_risk() -> None:
    assert diminishing_sum([]) == 0


@settings(deadline=None)
@given(scores)
def test_the_sum_is_bounded(values: list[float]) -> None:
    assert 0 <= diminishing_sum(values) <= 100


@settings(deadline=None)
@given(scores, st.floats(0, 100))
def test_one_more_alert_never_lowers_the_risk(values: list[float], more: float) -> None:
    assert diminishing_sum([*values, more]) >= diminishing_sum(values) - 1e-9


@settings(deadline=None)
@given(st.permutations([3.0, 99.0, 45.0, 45.0, 12.0]))
def test_the_order_does_not_matter(values: list[float]) -> None:
    assert diminishing_sum(values) == diminishing_sum(sorted(values))


def put(state: SqliteState, findings: list[Finding], now: datetime) -> list[str]:
    with state.begin() as tx:
        return [alert.id for alert in BOOK.fold(tx, findings, now)]


def test_the_board_ranks_entities_and_names_each_alert(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    high, low, _ = put(
        state,
        [
            finding(0, rule="a", level=Level.HIGH),
            finding(1, rule="b", level=Level.LOW, tags=("attack.credential_access",)),
            finding(2, rule="a", level=Level.HIGH, host="ws02"),
        ],
        noon,
    )
    with state.read() as tx:
        first, second = BOARD.page(tx).items
    assert [first.entity.name, second.entity.name] == ["ws01", "ws02"]
    assert first.score.value == pytest.approx(diminishing_sum([75, 25]))
    assert [addend.evidence for addend in first.score.addends] == [
        (f"alert:{high}",),
        (f"alert:{low}",),
    ]
    assert math.fsum(addend.points for addend in first.score.addends) == first.score.value
    assert first.alert_ids == (high, low)
    assert (first.alert_count, first.finding_count) == (2, 2)
    assert first.highest_level is Level.HIGH
    assert first.tactics == ("execution", "credential-access")


def test_an_alert_counts_for_what_it_is_about_only(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(0, related=(Entity(EntityKind.USER, "alice"),))], noon)
    with state.read() as tx:
        assert [risk.entity.key for risk in BOARD.page(tx).items] == ["host:ws01"]
        assert BOARD.get(tx, "user:alice") is None


def test_closing_takes_the_alert_out_and_reopening_puts_it_back(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    (only,) = put(state, [finding(0)], noon)
    with state.begin() as tx:
        before = BOARD.get(tx, "host:ws01")
        BOOK.change(tx, [only], status=AlertStatus.CLOSED, reason="r", by="ann", now=noon)
        assert BOARD.get(tx, "host:ws01") is None
        assert BOARD.page(tx).total == 0
        BOOK.change(tx, [only], status=AlertStatus.NEW, reason="r", by="ann", now=noon)
        assert BOARD.get(tx, "host:ws01") == before


def test_many_alerts_are_all_counted_and_the_long_tail_is_summed(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(0, rule=f"r{number}") for number in range(40)], noon)
    with state.read() as tx:
        risk = BOARD.get(tx, "host:ws01")
    assert risk is not None
    assert risk.alert_count == len(risk.alert_ids) == 40
    assert risk.score.addends[-1].reason == "15 further alerts"
    assert sum(addend.points for addend in risk.score.addends) == pytest.approx(risk.score.value)


def test_pages_go_through_all_entities_once(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    put(state, [finding(number, host=f"h{number}") for number in range(11)], noon)
    seen: list[str] = []
    cursor = None
    with state.read() as tx:
        while True:
            page = BOARD.page(tx, cursor=cursor, size=4)
            seen += [risk.entity.key for risk in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert page.total == 11
    assert len(set(seen)) == len(seen) == 11


def test_tenants_do_not_mix(state: SqliteState, finding: Make, noon: datetime) -> None:
    put(state, [finding(0), finding(1, tenant="other", level=Level.LOW)], noon)
    with state.read() as tx:
        assert BOARD.page(tx).total == 2
        own, other = BOARD.get(tx, "host:ws01"), BOARD.get(tx, "host:ws01", "other")
    assert own is not None
    assert other is not None
    assert (own.highest_level, other.highest_level) == (Level.HIGH, Level.LOW)


def test_a_foreign_cursor_is_refused(state: SqliteState) -> None:
    with state.read() as tx, pytest.raises(TriageError, match="cursor"):
        BOARD.page(tx, cursor="x")
