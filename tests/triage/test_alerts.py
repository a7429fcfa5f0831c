"""People list alerts, change them in bulk, and every change is kept."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.finding import Finding
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.alerts import AlertBook, AlertFilter, RefusedChange, TriageError, UnknownAlert

Make = Callable[..., Finding]
BOOK = AlertBook()


@pytest.fixture
def alerts(state: SqliteState, finding: Make, noon: datetime) -> list[Alert]:
    """Twelve alerts of different levels, rules and hosts, some with equal scores."""
    levels = list(Level)
    with state.begin() as tx:
        return BOOK.fold(
            tx,
            [
                finding(
                    number,
                    rule=f"rule-{number % 3}",
                    host=f"ws{number:02}",
                    level=levels[number % 5],
                )
                for number in range(12)
            ],
            noon,
        )


def test_pages_go_through_all_alerts_once_in_order(state: SqliteState, alerts: list[Alert]) -> None:
    seen: list[Alert] = []
    cursor = None
    with state.read() as tx:
        while True:
            page = BOOK.page(tx, size=5, cursor=cursor)
            assert page.total == 12
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    assert len({alert.id for alert in seen}) == 12
    order = [(alert.score.value, alert.last_seen, alert.id) for alert in seen]
    assert order == sorted(order, reverse=True)


def test_the_last_full_page_has_no_next(state: SqliteState, alerts: list[Alert]) -> None:
    with state.read() as tx:
        assert BOOK.page(tx, size=12).next_cursor is None


def test_each_filter_narrows(state: SqliteState, alerts: list[Alert], noon: datetime) -> None:
    with state.begin() as tx:
        BOOK.change(tx, [alerts[3].id], status=AlertStatus.ACKNOWLEDGED, by="ann", now=noon)
        BOOK.change(tx, [alerts[4].id], status=AlertStatus.CLOSED, reason="x", by="bo", now=noon)
    with state.read() as tx:
        assert BOOK.page(tx, status=AlertStatus.ACKNOWLEDGED).items[0].id == alerts[3].id
        assert BOOK.page(tx, is_open=True).total == 11
        assert BOOK.page(tx, is_open=False).total == 1
        assert BOOK.page(tx, level=Level.CRITICAL).total == 2
        assert BOOK.page(tx, entity_key="host:ws07").total == 1
        assert BOOK.page(tx, rule_id="rule-1").total == 4
        assert BOOK.page(tx, assignee="ann").total == 1
        assert BOOK.page(tx, tenant="other").total == 0
        assert BOOK.counts(tx) == {
            AlertStatus.NEW: 10,
            AlertStatus.ACKNOWLEDGED: 1,
            AlertStatus.CLOSED: 1,
        }


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("WS07", 1),
        ("title of RULE-1", 4),
        ("rule-1 ws07", 1),
        ("ws07 rule-2", 0),
        ("%", 0),
        ("_", 0),
    ],
)
def test_text_finds_words_of_title_entity_and_rule(
    state: SqliteState, alerts: list[Alert], text: str, total: int
) -> None:
    with state.read() as tx:
        assert BOOK.page(tx, text=text).total == total


@pytest.mark.parametrize("cursor", ["x", "äöü", "W10", "WzEsMiwzXQ", "W05hTiwiYSIsImIiXQ"])
def test_a_foreign_cursor_is_refused_in_words(state: SqliteState, cursor: str) -> None:
    with state.read() as tx, pytest.raises(TriageError, match="cursor"):
        BOOK.page(tx, cursor=cursor)


def test_closing_needs_a_reason(state: SqliteState, alerts: list[Alert], noon: datetime) -> None:
    with state.begin() as tx, pytest.raises(RefusedChange, match="needs a reason"):
        BOOK.change(tx, [alerts[0].id], status=AlertStatus.CLOSED, reason=" ", by="a", now=noon)


def test_closing_keeps_disposition_reason_and_who(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    later = noon + timedelta(minutes=5)
    with state.begin() as tx:
        (closed,) = BOOK.change(
            tx,
            [alerts[0].id],
            status=AlertStatus.CLOSED,
            disposition=Disposition.BENIGN_TRUE_POSITIVE,
            reason="admin at work",
            by="ann",
            now=later,
        )
        (change,) = BOOK.history(tx, alerts[0].id)
    assert closed.disposition is Disposition.BENIGN_TRUE_POSITIVE
    assert (closed.reason, closed.updated_at) == ("admin at work", later)
    assert (change.author, change.time, change.reason) == ("ann", later, "admin at work")
    assert change.before["status"] == "new"
    assert change.after["status"] == "closed"


def test_without_a_disposition_it_is_undetermined(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with state.begin() as tx:
        (closed,) = BOOK.change(
            tx, [alerts[0].id], status=AlertStatus.CLOSED, reason="r", by="ann", now=noon
        )
    assert closed.disposition is Disposition.UNDETERMINED


def test_an_open_alert_has_no_disposition(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with state.begin() as tx, pytest.raises(RefusedChange, match="close it"):
        BOOK.change(
            tx, [alerts[0].id], disposition=Disposition.FALSE_POSITIVE, reason="r", by="a", now=noon
        )


def test_acknowledging_assigns_who_has_no_one(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with state.begin() as tx:
        BOOK.change(tx, [alerts[1].id], assignee="bo", by="ann", now=noon)
        changed = BOOK.change(
            tx,
            [alerts[0].id, alerts[1].id],
            status=AlertStatus.ACKNOWLEDGED,
            by="ann",
            now=noon,
        )
    assert [alert.assignee for alert in changed] == ["ann", "bo"]


def test_only_alerts_that_differ_come_back(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with state.begin() as tx:
        BOOK.change(tx, [alerts[0].id], status=AlertStatus.ACKNOWLEDGED, by="ann", now=noon)
        changed = BOOK.change(
            tx,
            [alerts[0].id, alerts[1].id],
            status=AlertStatus.ACKNOWLEDGED,
            by="ann",
            now=noon,
        )
    assert [alert.id for alert in changed] == [alerts[1].id]


def test_a_change_is_all_or_nothing(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with pytest.raises(UnknownAlert, match="'nope'"), state.begin() as tx:
        BOOK.change(tx, [alerts[0].id, "nope"], status=AlertStatus.ACKNOWLEDGED, by="ann", now=noon)
    with state.read() as tx:
        assert BOOK.counts(tx)[AlertStatus.NEW] == 12


def test_reopening_needs_a_reason_and_a_free_place(
    state: SqliteState, alerts: list[Alert], finding: Make, noon: datetime
) -> None:
    alert = alerts[0]
    with state.begin() as tx:
        BOOK.change(tx, [alert.id], status=AlertStatus.CLOSED, reason="r", by="ann", now=noon)
        with pytest.raises(RefusedChange, match="needs a reason"):
            BOOK.change(tx, [alert.id], status=AlertStatus.NEW, by="ann", now=noon)
        (again,) = BOOK.change(
            tx, [alert.id], status=AlertStatus.NEW, reason="wrong one", by="ann", now=noon
        )
        assert again.disposition is None
        BOOK.change(tx, [alert.id], status=AlertStatus.CLOSED, reason="r", by="ann", now=noon)
        (successor,) = BOOK.fold(
            tx, [finding(100, rule="rule-0", host="ws00", level=Level.LOW)], noon
        )
        with pytest.raises(RefusedChange, match=successor.id):
            BOOK.change(tx, [alert.id], status=AlertStatus.NEW, reason="r", by="ann", now=noon)


def test_two_alerts_of_one_fold_can_not_both_be_reopened(
    state: SqliteState, finding: Make, noon: datetime
) -> None:
    closed = []
    for number in range(2):
        with state.begin() as tx:
            (alert,) = BOOK.fold(tx, [finding(number)], noon)
            BOOK.change(tx, [alert.id], status=AlertStatus.CLOSED, reason="r", by="ann", now=noon)
        closed.append(alert.id)
    with state.begin() as tx, pytest.raises(RefusedChange, match="latest only"):
        BOOK.change(tx, closed, status=AlertStatus.NEW, reason="r", by="ann", now=noon)


def test_bulk_by_query_reaches_every_match(
    state: SqliteState, alerts: list[Alert], noon: datetime
) -> None:
    with state.begin() as tx:
        changed = BOOK.change_where(
            tx,
            AlertFilter(rule_id="rule-1"),
            status=AlertStatus.CLOSED,
            reason="noise",
            by="ann",
            now=noon,
        )
    assert {alert.rule_id for alert in changed} == {"rule-1"}
    assert len(changed) == 4


def test_thousands_change_at_once(state: SqliteState, finding: Make, noon: datetime) -> None:
    with state.begin() as tx:
        made = BOOK.fold(tx, [finding(number, host=f"h{number}") for number in range(3000)], noon)
        changed = BOOK.change(tx, [alert.id for alert in made], assignee="ann", by="ann", now=noon)
    assert len(changed) == 3000


def test_a_case_is_linked(state: SqliteState, alerts: list[Alert], noon: datetime) -> None:
    with state.begin() as tx:
        BOOK.link_case(tx, [alerts[0].id, alerts[1].id], "case-1", noon)
        assert BOOK.page(tx, case_id="case-1").total == 2
        with pytest.raises(UnknownAlert):
            BOOK.link_case(tx, ["nope"], "case-1", noon)
