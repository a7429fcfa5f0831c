"""Gaps of rules are filled by themselves: once, in pieces, and what was told wrongly is corrected."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.app.rules.test_rule_looks import COUNT, COUNTING, RULE, START, Desk, rule_text
from tocsin.app.backtests import gap_filling
from tocsin.app.backtests.gap_filling import BY, GapFiller
from tocsin.app.backtests.rule_fill import RuleFill
from tocsin.detect.rules.overlay import LifeState
from tocsin.triage.standing_verdicts import StandingVerdict, standing_verdicts

ABSENT = "dddddddd-0000-4000-8000-00000000000d"
HEARTBEAT = f"""
title: Nobody asks who it is
id: {ABSENT}
absence:
  rules: [whoami]
  generate: true
  group-by: [Computer]
  timespan: 5m
level: high
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    yield made
    made.house.close()


def pause(desk: Desk) -> None:
    desk.house.flow.hold(frozenset({RULE}))


def resume(desk: Desk) -> None:
    desk.house.flow.hold(frozenset())


def look(desk: Desk, later: timedelta = timedelta(0)) -> int:
    return desk.house.gap_filler.look(datetime.now(UTC) + later)


def standing(desk: Desk, rule_id: str) -> list[StandingVerdict]:
    with desk.house.state.read() as tx:
        return standing_verdicts(tx, rule_id, START, START + timedelta(days=1))


def test_a_gap_is_filled_once_it_has_ended_and_not_again(desk: Desk) -> None:
    desk.rule(rule_text())
    desk.events(1)
    pause(desk)
    desk.events(3)
    assert look(desk) == 0, "it still lasts"
    resume(desk)
    desk.events(1)
    assert desk.found() == 2
    assert look(desk) == 1
    assert desk.found() == 5
    looks = desk.looks()
    assert looks.gaps == ()
    assert [(one.by, one.findings) for one in looks.fills] == [(BY, 3)]
    assert look(desk) == 0
    with desk.house.state.read() as tx:
        (alert,) = desk.house.alerts.page(tx).items
    assert alert.count == 5


def test_a_gap_that_came_while_the_platform_was_down_is_filled_after_the_start(desk: Desk) -> None:
    desk.rule(rule_text())
    desk.events(1)
    file = desk.home / "rules" / "one.yml"
    file.write_text("title: broken\n")
    desk.reopen()
    desk.events(2)
    desk.rule(rule_text())
    desk.reopen()
    assert look(desk) == 1
    assert desk.found() == 3


def test_what_a_person_put_out_of_force_is_left_to_people(desk: Desk) -> None:
    desk.rule(rule_text())
    desk.events(1)
    for state in (LifeState.RETIRED, LifeState.STAGING, LifeState.ACTIVE):
        desk.house.rule_book.set_state([RULE], state, reason="why", by="me")
        desk.events(1)
    (gap,) = desk.looks().gaps
    assert gap.cause == "decided"
    assert look(desk) == 0


def test_rules_with_the_same_gap_are_filled_together_and_piece_by_piece(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = rule_text().replace(RULE, RULE.replace("a", "e")).replace("name: whoami", "name: e")
    desk.rule(rule_text() + "---" + other)
    desk.events(1)
    desk.house.flow.hold(frozenset({RULE, RULE.replace("a", "e")}))
    desk.events(2)
    desk.events(2)
    resume(desk)
    monkeypatch.setattr(gap_filling, "_STRETCH", (desk.looks().gaps[0].until - START) / 10**6)
    asked: list[tuple[str, ...]] = []
    ran = RuleFill.run

    def counted(self: RuleFill, *given: object) -> object:
        asked.append((self.rule_id, *self.others))
        if len(asked) == 2:
            desk.house.gap_filler._stop.set()
        return ran(self, *given)

    monkeypatch.setattr(RuleFill, "run", counted)
    look(desk)
    assert {len(one) for one in asked} == {2}
    assert desk.looks().gaps, "it was stopped in the middle"
    monkeypatch.undo()
    desk.reopen()
    look(desk)
    assert desk.looks().gaps == ()
    assert desk.found() == 5


def test_old_gaps_and_those_of_busy_times_are_left(desk: Desk) -> None:
    desk.rule(rule_text())
    desk.events(1)
    pause(desk)
    desk.events(1)
    resume(desk)
    now = datetime.now(UTC)
    assert GapFiller(desk.house, 7.0, lambda: True).look(now) == 0
    assert GapFiller(desk.house, 0.0).look(now) == 0
    assert GapFiller(desk.house, 1.0).look(now + timedelta(days=2)) == 0
    assert GapFiller(desk.house, 7.0).look(now) == 1


def test_a_count_whose_window_reaches_beyond_the_gap_is_corrected(desk: Desk) -> None:
    """Five in ten minutes, two of which the rule did not look at: one verdict stands, on five."""
    desk.rule(rule_text() + "---" + COUNTING)
    desk.events(2)
    pause(desk)
    desk.events(2)
    resume(desk)
    desk.events(1)
    desk.house.flow.close_windows(datetime.now(UTC))
    assert look(desk) >= 1
    (verdict,) = standing(desk, COUNT)
    assert verdict.since == START + timedelta(minutes=1)
    assert verdict.time == START + timedelta(minutes=5)
    with desk.house.state.read() as tx:
        alerts = [one for one in desk.house.alerts.page(tx).items if one.rule_id == COUNT]
    assert [(one.count, one.exemplars[0].event_count) for one in alerts] == [(1, 5)]
    assert desk.looks(COUNT).gaps == ()


def test_the_same_comes_out_as_without_a_gap(desk: Desk, tmp_path: Path) -> None:
    whole = Desk(tmp_path / "whole")
    try:
        for one, has_gap in ((whole, False), (desk, True)):
            one.rule(rule_text() + "---" + COUNTING)
            one.events(1)
            if has_gap:
                pause(one)
            one.events(4)
            one.minute += 30
            one.events(1)
            if has_gap:
                resume(one)
            one.minute += 30
            one.events(1)
            one.house.flow.close_windows(datetime.now(UTC))
            look(one)
        expected, found = (
            [(one.entity, one.since, one.time) for one in standing(each, COUNT)]
            for each in (whole, desk)
        )
        assert found == expected
        assert found
    finally:
        whole.house.close()


def test_an_absence_that_was_none_is_taken_back(desk: Desk) -> None:
    desk.rule(rule_text() + "---" + HEARTBEAT)
    desk.events(2)
    pause(desk)
    desk.events(8)
    desk.house.flow.close_windows(datetime.now(UTC) + timedelta(minutes=2))
    resume(desk)
    desk.events(1)
    desk.house.flow.close_windows(datetime.now(UTC) + timedelta(minutes=2))
    before = standing(desk, ABSENT)
    look(desk)
    after = standing(desk, ABSENT)
    wrong = [one for one in before if one.since < START + timedelta(minutes=10)]
    assert wrong, "while the rule paused it missed the heartbeats"
    assert not {one.finding_id for one in wrong} & {one.finding_id for one in after}


def test_windows_that_are_still_open_are_looked_at_again(desk: Desk) -> None:
    desk.rule(rule_text() + "---" + COUNTING)
    first = int((datetime.now(UTC) - START) / timedelta(minutes=1)) - 2
    desk.minute = first
    pause(desk)
    desk.events(2)
    resume(desk)
    look(desk)
    waits = desk.house.gap_filler.waiting(COUNT)
    assert waits == START + timedelta(minutes=first + 12)
    assert desk.looks(COUNT).gaps, "shown while it lasts"
    desk.events(1)
    assert standing(desk, COUNT) == []
    assert look(desk, timedelta(minutes=15)) >= 1
    assert len(standing(desk, COUNT)) == 1
    assert desk.looks(COUNT).gaps == ()
    assert desk.house.gap_filler.waiting(COUNT) is None


def test_a_gap_that_can_not_be_read_to_the_end_is_told_and_left_to_people(desk: Desk) -> None:
    desk.rule(rule_text())
    pause(desk)
    desk.events(3)
    resume(desk)
    for segment in (desk.home / "events").rglob("*.parquet"):
        segment.write_bytes(b"")
    assert look(desk) == 1
    (fill,) = desk.looks().fills
    assert "is not what was written" in fill.damage
    assert desk.looks().gaps
    assert look(desk) == 0, "not again by itself"
    assert desk.house.gap_filler.waiting(RULE) is None, "no window is open over it"
