"""Late events change what was told: the alert is corrected, and says when nothing is left of it."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.alerts import AlertBook, RefusedChange

Make = Callable[..., Finding]
Verdict = Callable[..., Finding]
BOOK = AlertBook()


@pytest.fixture
def verdict(finding: Make, noon: datetime) -> Verdict:
    """A verdict on ``events`` events that began ``began`` seconds after noon and lasted a minute."""

    def make(
        name: str,
        events: int = 10,
        *,
        began: int = 0,
        supersedes: str = "",
        retracted: bool = False,
        **more: object,
    ) -> Finding:
        return dataclasses.replace(
            finding(began + 60, **more),
            finding_id=f"verdict-{name}",
            since=noon + timedelta(seconds=began),
            evidence=tuple(f"event-{number}" for number in range(events)),
            event_count=events,
            supersedes=f"verdict-{supersedes}" if supersedes else "",
            retracted=retracted,
            because=f"event_count {events}, gte 10 within 1m",
        )

    return make


def put(state: SqliteState, *findings: Finding, at: datetime) -> list[Alert]:
    with state.begin() as tx:
        return BOOK.fold(tx, findings, at)


def test_a_correction_takes_the_place_of_what_it_corrects(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a", 10), at=noon)
    more = verdict(
        "b", 12, began=-30, supersedes="a", related=(Entity(EntityKind.ADDRESS, "192.0.2.9"),)
    )
    (corrected,) = put(state, more, at=noon + timedelta(hours=1))
    assert corrected.id == told.id
    assert (corrected.count, corrected.corrected, corrected.retracted) == (1, 1, 0)
    assert corrected.first_seen == noon - timedelta(seconds=30)
    assert corrected.last_seen == noon + timedelta(seconds=30)
    assert [(one.finding_id, one.event_count) for one in corrected.exemplars] == [("verdict-b", 12)]
    assert corrected.exemplars[0].because == "event_count 12, gte 10 within 1m"
    assert len(corrected.exemplars[0].evidence) == 12
    assert [entity.key for entity in corrected.related] == ["address:192.0.2.9"]
    with state.read() as tx:
        assert BOOK.get(tx, told.id) == corrected
        assert {one.finding_id: one.state for one in BOOK.verdicts(tx, told.id)} == {
            "verdict-b": "standing",
            "verdict-a": "corrected",
        }


def test_a_correction_reaches_its_alert_although_it_names_another_entity_first(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    (corrected,) = put(state, verdict("b", supersedes="a", host="ws99"), at=noon)
    assert corrected.id == told.id
    assert [entity.key for entity in corrected.related] == ["host:ws99"]


def test_other_verdicts_of_the_alert_are_left_alone(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    put(state, verdict("a"), verdict("other", 30, began=600), at=noon)
    (corrected,) = put(state, verdict("b", 11, began=5, supersedes="a"), at=noon)
    assert corrected.count == 2
    assert corrected.first_seen == noon + timedelta(seconds=5)
    assert corrected.last_seen == noon + timedelta(seconds=660)
    assert [one.finding_id for one in corrected.exemplars] == ["verdict-b", "verdict-other"]


def test_an_alert_of_which_nothing_is_left_is_closed_with_the_reason(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    (closed,) = put(state, verdict("b", 9, supersedes="a", retracted=True), at=noon)
    assert (closed.status, closed.disposition) == (AlertStatus.CLOSED, Disposition.RETRACTED)
    assert "no longer holds" in closed.reason
    assert closed.score.value < told.score.value / 4
    assert any(addend.reason.startswith("retracted") for addend in closed.score.addends)
    assert [one.finding_id for one in closed.exemplars] == ["verdict-a"], "what it was told of"
    with state.read() as tx:
        (change,) = BOOK.history(tx, told.id)
        assert (change.author, change.after["disposition"]) == ("tocsin", "retracted")
        assert BOOK.page(tx, is_open=True).total == 0


def test_what_a_person_works_on_stays_open_and_says_it_aloud(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    with state.begin() as tx:
        BOOK.change(tx, [told.id], status=AlertStatus.ACKNOWLEDGED, by="ann", now=noon)
    (left,) = put(state, verdict("b", 9, supersedes="a", retracted=True), at=noon)
    assert (left.status, left.count, left.retracted) == (AlertStatus.ACKNOWLEDGED, 0, 1)
    assert left.score.value < told.score.value / 4
    assert sum(addend.points for addend in left.score.addends) == left.score.value


def test_a_retraction_leaves_the_rest_of_the_alert(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    put(state, verdict("a"), verdict("other", began=600), at=noon)
    (left,) = put(state, verdict("b", supersedes="a", retracted=True), at=noon)
    assert (left.status, left.count, left.retracted) == (AlertStatus.NEW, 1, 1)
    assert left.first_seen == noon + timedelta(seconds=600)


def test_what_holds_again_after_a_retraction_is_a_new_alert(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    put(state, verdict("b", supersedes="a", retracted=True), at=noon)
    (again,) = put(state, verdict("c", 14, supersedes="b"), at=noon)
    assert (again.status, again.previous_id, again.count) == (AlertStatus.NEW, told.id, 1)


def test_a_correction_of_what_a_person_closed_does_not_open_it(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    with state.begin() as tx:
        BOOK.change(tx, [told.id], status=AlertStatus.CLOSED, reason="a test", by="ann", now=noon)
    (still,) = put(state, verdict("b", 12, supersedes="a"), at=noon)
    assert (still.id, still.status, still.corrected) == (told.id, AlertStatus.CLOSED, 1)


def test_a_chain_within_one_turn_tells_its_last_word_only(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    chain = [verdict("a"), verdict("b", 11, supersedes="a"), verdict("c", 12, supersedes="b")]
    (told,) = put(state, *chain, at=noon)
    assert (told.count, told.exemplars[0].event_count) == (1, 12)
    assert put(state, verdict("x"), verdict("y", supersedes="x", retracted=True), at=noon) == []


def test_a_retraction_of_what_was_never_told_is_no_alert(
    state: SqliteState, verdict: Verdict, noon: datetime
) -> None:
    assert put(state, verdict("b", supersedes="a", retracted=True), at=noon) == []


def test_a_replay_changes_nothing(state: SqliteState, verdict: Verdict, noon: datetime) -> None:
    steps = [
        [verdict("a"), verdict("other", began=600)],
        [verdict("b", 12, supersedes="a")],
        [verdict("c", 9, supersedes="b", retracted=True)],
    ]
    for step in steps:
        (alert,) = put(state, *step, at=noon)
    for number in range(40):
        put(state, verdict(f"later-{number}", began=1000 + number), at=noon)
    with state.read() as tx:
        before = BOOK.get(tx, alert.id)
    for step in steps:
        assert put(state, *step, at=noon + timedelta(days=1)) == []
    with state.read() as tx:
        assert BOOK.get(tx, alert.id) == before
    assert before is not None
    assert (before.count, before.corrected, before.retracted) == (41, 1, 1)


def test_only_the_platform_retracts(state: SqliteState, verdict: Verdict, noon: datetime) -> None:
    (told,) = put(state, verdict("a"), at=noon)
    with state.begin() as tx, pytest.raises(RefusedChange, match="only the platform"):
        BOOK.change(
            tx,
            [told.id],
            status=AlertStatus.CLOSED,
            disposition=Disposition.RETRACTED,
            reason="x",
            by="ann",
            now=noon,
        )
