"""What people decide about rules is in force at once, kept with its history, and never lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.detect.errors import RefusedDecision, UnknownRule
from tocsin.detect.overlays.life_counts import hidden_by_day, staged_by_day
from tocsin.detect.overlays.overlay_book import OverlayChanged
from tocsin.detect.overlays.overlay_tables import HIDDEN_HITS, RULE_OVERLAYS
from tocsin.detect.rules.overlay import LifeState
from tocsin.detect.rules.schedule import DAYS, Schedule
from tocsin.model.alert import Alert
from tocsin.model.record import Framing, RawBatch
from tocsin.model.severity import Level
from tocsin.store.query import EventQuery

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
REFUSED = "3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01"
GUESSED = "6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c01"
ATTACKER, SCANNER = "203.0.113.9", "198.51.100.7"
RULE = """
title: Password is refused
id: 3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01
name: refused
status: test
logsource: {product: linux, service: sshd}
detection:
    selection:
        message|startswith: "WORD password"
    condition: selection
level: LEVEL
tocsin:
    tests:
        - name: refused
          expect: match
          event: {message: "EXPECTED password for root"}
"""
COUNT = """
---
title: Passwords are guessed
id: 6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c01
status: test
correlation:
    type: event_count
    rules: [refused]
    generate: true
    group-by: [src_ip]
    timespan: 5m
    condition: {gte: 3}
level: high
"""


def write(
    settings: Settings,
    *,
    level: str = "low",
    expected: str = "Failed",
    word: str = "Failed",
    count: bool = False,
) -> None:
    text = RULE.replace("LEVEL", level).replace("EXPECTED", expected).replace("WORD", word)
    folder = settings.home / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ssh.yml").write_text(text + (COUNT if count else ""))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings(home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False)
    write(made)
    return made


@pytest.fixture
def house(settings: Settings) -> Iterator[Tocsin]:
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def refuse(house: Tocsin, *seconds: int, address: str = ATTACKER) -> None:
    lines = [
        f"<38>1 {(START + timedelta(seconds=at)).isoformat()} jump sshd 42 - - "
        f"Failed password for root from {address} port 50{at:03} ssh2"
        for at in seconds
    ]
    payload = "\n".join(lines).encode()
    house.spool.append([RawBatch("syslog/jump", payload, datetime.now(UTC), Framing.SYSLOG)])
    house.flow.drain()


def alerts(house: Tocsin) -> list[Alert]:
    with house.state.read() as tx:
        return list(house.alerts.page(tx).items)


def reload(house: Tocsin) -> None:
    house.rule_keeper.reload("ann", datetime.now(UTC))


def move(house: Tocsin, state: LifeState, rule_id: str = REFUSED) -> str:
    (moved,) = house.rule_book.set_state([rule_id], state, reason="because", by="ann")
    return moved.refused


def reasons(house: Tocsin) -> str:
    return " | ".join(problem.reason for problem in house.ruleset.problems)


def test_a_staged_rule_is_stored_and_counted_and_pages_nobody(house: Tocsin) -> None:
    paged: list[Alert] = []
    house.flow._on_alerts = paged.extend
    assert move(house, LifeState.STAGING) == ""
    refuse(house, 1, 2)
    assert alerts(house) == []
    assert paged == []
    found = house.events.search(EventQuery(text="native.staged:true", size=10)).events
    assert len(found) == 2
    with house.state.read() as tx:
        (day,) = staged_by_day(tx, REFUSED)
    assert (day.count, len(day.samples)) == (2, 2)
    assert house.events.get(day.samples[0]) is not None
    assert move(house, LifeState.ACTIVE) == ""
    refuse(house, 3)
    assert [alert.count for alert in alerts(house)] == [1]


def test_a_schedule_says_when_a_rule_pages_and_what_comes_of_the_rest(house: Tocsin) -> None:
    """``START`` decides, not the clock: a backlog pages as it would have when it happened."""
    begin = START.replace(second=0, microsecond=0)
    hours = Schedule(DAYS, begin.time(), (begin + timedelta(hours=1)).time(), outside=True)
    house.rule_book.set_schedule(REFUSED, hours, reason="a backup runs then", by="ann")
    refuse(house, 1)
    assert alerts(house) == []
    with house.state.read() as tx:
        assert staged_by_day(tx, REFUSED)[0].count == 1
    house.rule_book.set_level(REFUSED, Level.HIGH, reason="ours", by="ann")
    quieter = replace(hours, otherwise=Level.INFORMATIONAL)
    house.rule_book.set_schedule(REFUSED, quieter, reason="let us see them", by="ann")
    refuse(house, 2)
    assert [(alert.level, alert.count) for alert in alerts(house)] == [(Level.INFORMATIONAL, 1)]
    house.rule_book.set_schedule(REFUSED, None, reason="at any time", by="ann")
    refuse(house, 3)
    assert alerts(house)[0].level is Level.HIGH
    assert house.rule_book.life(REFUSED).schedule is None


@pytest.mark.parametrize("state", [LifeState.DRAFT, LifeState.RETIRED])
def test_a_rule_that_is_no_more_in_force_finds_nothing_and_is_still_known(
    house: Tocsin, state: LifeState
) -> None:
    assert move(house, state) == ""
    refuse(house, 1)
    assert alerts(house) == []
    assert house.ruleset.rule(REFUSED) is None
    assert house.rule_keeper.written.rule(REFUSED) is not None
    assert house.rule_book.life(REFUSED).state is state


def test_retiring_a_rule_does_not_silence_those_that_count_it(
    settings: Settings, house: Tocsin
) -> None:
    write(settings, count=True)
    reload(house)
    move(house, LifeState.RETIRED)
    refuse(house, 1, 2, 3)
    assert [alert.rule_id for alert in alerts(house)] == [GUESSED]


def test_an_exception_hides_counts_and_keeps_samples(house: Tocsin) -> None:
    made, _ = house.rule_book.add_exception(
        REFUSED, {"src_ip": SCANNER}, owner="ann", reason="our scanner", by="ann"
    )
    refuse(house, 1, 2, address=SCANNER)
    refuse(house, 3)
    (alert,) = alerts(house)
    assert alert.count == 1
    (seen,) = house.rule_book.life(REFUSED).exceptions
    assert (seen.exception.id, seen.hidden, seen.problem) == (made.id, 2, "")
    event = house.events.get(seen.days[0].samples[0])
    assert event is not None
    assert event.native["src_ip"] == SCANNER


def test_what_an_exception_hides_is_counted_by_no_correlation(
    settings: Settings, house: Tocsin
) -> None:
    write(settings, count=True)
    reload(house)
    book = house.rule_book
    book.add_exception(REFUSED, {"src_ip": SCANNER}, owner="ann", reason="scanner", by="ann")
    refuse(house, 1, 2, 3, 4, address=SCANNER)
    assert alerts(house) == []


def test_a_correlation_has_exceptions_by_its_group(settings: Settings, house: Tocsin) -> None:
    write(settings, count=True)
    reload(house)
    house.rule_book.add_exception(
        GUESSED, {"src_ip|cidr": "198.51.100.0/24"}, owner="ann", reason="scanner", by="ann"
    )
    refuse(house, 1, 2, 3, address=SCANNER)
    refuse(house, 11, 12, 13)
    guessed = [alert for alert in alerts(house) if alert.rule_id == GUESSED]
    assert [alert.entity.name for alert in guessed] == [ATTACKER]
    assert house.rule_book.life(GUESSED).exceptions[0].hidden == 1


def test_a_turn_that_dies_counts_nothing_and_done_again_counts_once(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.rule_book.add_exception(
        REFUSED, {"src_ip": ATTACKER}, owner="ann", reason="exercise", by="ann"
    )

    def dies(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(house.spool, "commit", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            refuse(house, 1)
    with house.state.read() as tx:
        assert hidden_by_day(tx, REFUSED) == []
    house.flow.drain()
    with house.state.read() as tx:
        assert [day.count for day in hidden_by_day(tx, REFUSED)] == [1]


def test_an_expired_exception_hides_nothing_and_is_told(house: Tocsin) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    house.rule_book.add_exception(
        REFUSED, {"src_ip": ATTACKER}, owner="ann", reason="exercise", by="ann", expires=soon
    )
    refuse(house, 1)
    assert alerts(house) == []
    assert house.rule_book.expire(soon) == 1
    assert house.rule_book.expire(soon) == 0
    assert "has expired" in reasons(house)
    # The clock is a day before its end again, and it stays ended.
    refuse(house, 2)
    assert [alert.count for alert in alerts(house)] == [1]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"src_ip|nonsense": "x"}, "nonsense"),
        ({"src_ip|re": "("}, "can't be used"),
        ({}, "fields must be a map"),
        ({"|contains": "x"}, "no field name"),
        ({"src_ip": []}, "no value"),
        ({"src_ip": [{"a": 1}]}, "no text"),
    ],
)
def test_an_exception_that_would_not_work_is_refused(
    house: Tocsin, fields: dict[str, object], wrong: str
) -> None:
    with pytest.raises(RefusedDecision, match=wrong.replace("|", r"\|")):
        house.rule_book.add_exception(REFUSED, fields, owner="ann", reason="r", by="ann")
    assert house.rule_book.history(REFUSED) == []


def test_an_exception_that_blinds_the_rules_own_tests_is_told(house: Tocsin) -> None:
    _, blinded = house.rule_book.add_exception(
        REFUSED, {"message|contains": "root"}, owner="ann", reason="r", by="ann"
    )
    assert blinded == ["refused"]


def test_a_rule_that_fails_its_own_test_is_not_promoted(settings: Settings, house: Tocsin) -> None:
    move(house, LifeState.DRAFT)
    write(settings, expected="Accepted")
    reload(house)
    refused = move(house, LifeState.STAGING)
    assert "fails its own tests: refused" in refused
    assert "ssh.yml" in refused
    assert house.rule_book.life(REFUSED).state is LifeState.DRAFT


def test_a_move_that_is_none_is_told_with_those_there_are(house: Tocsin) -> None:
    move(house, LifeState.DRAFT)
    assert "it may become staging or retired" in move(house, LifeState.ACTIVE)


def test_a_level_of_ones_own_is_in_the_next_finding(house: Tocsin) -> None:
    house.rule_book.set_level(REFUSED, Level.CRITICAL, reason="crown jewels", by="ann")
    refuse(house, 1)
    assert alerts(house)[0].level is Level.CRITICAL
    house.rule_book.set_level(REFUSED, None, reason="done", by="ann")
    rule = house.rule(REFUSED)
    assert rule is not None
    assert rule.level is Level.LOW


def test_the_second_of_two_people_is_told_what_the_first_changed(house: Tocsin) -> None:
    book = house.rule_book
    book.set_level(REFUSED, Level.HIGH, reason="first", by="ann")
    seen = book.life(REFUSED).version
    mine = book.overlays()[REFUSED]
    book.set_level(REFUSED, Level.MEDIUM, reason="second", by="bob")
    with pytest.raises(OverlayChanged, match="bob saved version 2") as told:
        book.save(mine, seen_version=seen, reason="third", by="ann")
    assert [one.in_words() for one in told.value.changes] == ["level: high → medium"]
    assert book.life(REFUSED).level is Level.MEDIUM


def test_the_history_tells_who_when_and_what_and_goes_back(house: Tocsin) -> None:
    book = house.rule_book
    book.set_level(REFUSED, Level.HIGH, reason="noisy week", by="ann")
    book.add_exception(REFUSED, {"src_ip": SCANNER}, owner="bob", reason="scanner", by="bob")
    book.revert(REFUSED, 1, reason="too much", by="cid")
    latest, second, first = book.history(REFUSED)
    assert (first.by, first.reason, first.version) == ("ann", "noisy week", 1)
    assert "+level: high" in first.diff
    assert f'+        - "{SCANNER}"' in second.diff
    assert (latest.what, latest.version) == ("reverted to version 1", 3)
    life = book.life(REFUSED)
    assert (life.level, life.exceptions) == (Level.HIGH, ())
    with house.state.read() as tx:
        actions = [one.action for one in house.audit.page(tx).items]
    assert actions.count("rules.decide") == 3


def test_a_changed_text_is_in_the_history_and_keeps_what_was_decided(
    settings: Settings, house: Tocsin
) -> None:
    house.rule_book.set_level(REFUSED, Level.HIGH, reason="r", by="ann")
    write(settings, word="Refused", expected="Refused")
    reload(house)
    whats = [one.what for one in house.rule_book.history(REFUSED)]
    assert whats == ["kept over a changed rule text", "text changed", "level high"]
    assert (
        '+        message|startswith: "Refused password"'
        in house.rule_book.history(REFUSED)[1].diff
    )
    assert house.rule_book.life(REFUSED).level is Level.HIGH
    assert reasons(house) == ""


def test_a_level_changed_on_both_sides_is_told_until_it_is_settled(
    settings: Settings, house: Tocsin
) -> None:
    book = house.rule_book
    book.set_level(REFUSED, Level.INFORMATIONAL, reason="quiet", by="ann")
    write(settings, level="high")
    reload(house)
    assert "was low, is now high upstream and informational here" in reasons(house)
    assert book.life(REFUSED).level is Level.INFORMATIONAL
    update_ = book.life(REFUSED).update
    assert update_ is not None
    assert [one.field for one in update_.conflicts] == ["level"]
    book.settle(REFUSED, keep_ours=False, reason="they are right", by="ann")
    assert reasons(house) == ""
    assert book.life(REFUSED).level is Level.HIGH


def test_decisions_survive_a_restart_and_a_rule_that_vanished(settings: Settings) -> None:
    first = open_tocsin(settings)
    first.rule_book.set_level(REFUSED, Level.HIGH, reason="r", by="ann")
    first.close()
    (settings.home / "rules" / "ssh.yml").unlink()
    second = open_tocsin(settings)
    assert "for a rule that is not loaded" in reasons(second)
    assert not second.rule_book.life(REFUSED).is_loaded
    second.close()
    write(settings)
    third = open_tocsin(settings)
    rule = third.rule(REFUSED)
    assert rule is not None
    assert rule.level is Level.HIGH
    assert reasons(third) == ""
    third.close()


def test_damaged_decisions_are_told_and_the_last_sound_ones_stay(settings: Settings) -> None:
    first = open_tocsin(settings)
    first.rule_book.set_state([REFUSED], LifeState.RETIRED, reason="r", by="ann")
    with first.state.begin() as tx:
        tx.execute(update(RULE_OVERLAYS).values(content='{"state": "ret'))
    first.close()
    second = open_tocsin(settings)
    assert "version 1 stays in force" in reasons(second)
    assert second.ruleset.rule(REFUSED) is None
    second.rule_book.revert(REFUSED, 1, reason="mend", by="ann")
    assert reasons(second) == ""
    second.close()


def test_one_damaged_exception_leaves_the_others_at_work(house: Tocsin) -> None:
    house.rule_book.add_exception(
        REFUSED, {"src_ip": ATTACKER}, owner="ann", reason="one", by="ann"
    )
    with house.state.begin() as tx:
        row = tx.execute(RULE_OVERLAYS.select()).one()
        broken = row.content.replace('"exceptions": [', '"exceptions": [{"id": "x"},')
        tx.execute(update(RULE_OVERLAYS).values(content=broken))
    house.rule_keeper.lay_over_again()
    assert "exception 1 can't be read (its owner is missing)" in reasons(house)
    refuse(house, 1)
    assert alerts(house) == []


def test_nobody_decides_on_a_rule_that_does_not_exist(house: Tocsin) -> None:
    with pytest.raises(UnknownRule, match="no rule with the id nothing"):
        house.rule_book.set_level("nothing", Level.LOW, reason="r", by="ann")
    (moved,) = house.rule_book.set_state(["nothing"], LifeState.RETIRED, reason="r", by="ann")
    assert "no rule with the id nothing" in moved.refused


def test_what_an_exception_hid_stays_counted_when_it_is_gone(
    house: Tocsin,
) -> None:
    made, _ = house.rule_book.add_exception(
        REFUSED, {"src_ip": ATTACKER}, owner="ann", reason="one", by="ann"
    )
    refuse(house, 1)
    house.rule_book.remove_exception(REFUSED, made.id, reason="over", by="ann")
    refuse(house, 2)
    assert [alert.count for alert in alerts(house)] == [1]
    with house.state.read() as tx:
        assert tx.execute(HIDDEN_HITS.select()).one().exception_id == made.id
