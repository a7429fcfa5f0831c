"""Rules over several events through the real flow: late events, restarts, crashes, changed rules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.flow.last_events import last_events
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.detect.correlate.correlated import Correlated
from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.record import Framing, RawBatch
from tocsin.model.rule import Rule
from tocsin.store.query import EventQuery

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
RULES = """
title: Password is refused
id: 3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a01
name: refused
status: test
logsource: {product: linux, service: sshd}
detection:
    selection:
        message|startswith: "Failed password"
    condition: selection
level: low
---
title: Passwords are guessed
id: 6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c01
status: test
correlation:
    type: event_count
    rules: [refused]
    group-by: [src_ip]
    timespan: 5m
    condition:
        BOUND
level: high
tags: [attack.t1110.001]
tocsin:
    entity: [address]
"""
GUESSED = "6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c01"
ATTACKER = "203.0.113.9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    rules = tmp_path / "home" / "rules"
    rules.mkdir(parents=True)
    (rules / "ssh.yml").write_text(RULES.replace("BOUND", "gte: 3"))
    return load_settings(home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False)


@pytest.fixture
def house(settings: Settings) -> Iterator[Tocsin]:
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def refuse(house: Tocsin, *seconds: float, source: str = "syslog/jump", drain: bool = True) -> None:
    """Refused passwords that many seconds after the start, as a syslog sender tells of them."""
    lines = [
        f"<38>1 {(START + timedelta(seconds=at)).isoformat()} jump sshd 42 - - "
        f"Failed password for root from {ATTACKER} port 50{int(at):03} ssh2"
        for at in seconds
    ]
    payload = "\n".join(lines).encode()
    house.spool.append([RawBatch(source, payload, datetime.now(UTC), Framing.SYSLOG)])
    if drain:
        house.flow.drain()


def alerts(house: Tocsin) -> list[Alert]:
    with house.state.read() as tx:
        return list(house.alerts.page(tx).items)


def test_several_events_make_one_alert_with_its_evidence(house: Tocsin) -> None:
    refuse(house, 0, 10)
    assert alerts(house) == []
    refuse(house, 20)
    (alert,) = alerts(house)
    assert (alert.rule_id, alert.entity.key, alert.count) == (GUESSED, f"address:{ATTACKER}", 1)
    told = alert.exemplars[-1]
    assert told.event_count == 3
    assert told.because.startswith(f"3 events of “Password is refused” with src_ip {ATTACKER}")
    assert told.because.endswith("in 20 seconds (the rule: at least 3 within 5 minutes)")
    found = [house.events.get(event_id) for event_id in told.evidence]
    assert [event.time for event in found if event] == [
        START + timedelta(seconds=at) for at in (0, 10, 20)
    ]
    assert told.fields["src_ip"] == ATTACKER, "the last event's own fields"


def test_a_finding_of_several_events_is_an_event_that_names_them(house: Tocsin) -> None:
    refuse(house, 0, 10, 20)
    (event,) = house.events.search(EventQuery("lane:tocsin.finding")).events
    assert event.native["event_count"] == 3
    assert len(event.native["event_ids"]) == 3
    assert event.ocsf["finding_info.related_events_count"] == 3


def test_a_late_event_corrects_the_alert_and_makes_no_second_one(house: Tocsin) -> None:
    refuse(house, 10, 20, 30)
    (before,) = alerts(house)
    refuse(house, 0)
    (after,) = alerts(house)
    assert after.id == before.id
    assert after.first_seen == before.first_seen - timedelta(seconds=10)
    assert (after.count, after.corrected) == (1, 1)
    assert after.exemplars[-1].event_count == 4
    with house.state.read() as tx:
        states = {one.state: one.event_count for one in house.alerts.verdicts(tx, after.id)}
    assert states == {"standing": 4, "corrected": 3}


def test_what_was_counted_survives_a_restart(house: Tocsin, settings: Settings) -> None:
    refuse(house, 0, 10)
    house.close()
    again = open_tocsin(settings)
    try:
        refuse(again, 20)
        (alert,) = alerts(again)
        assert alert.exemplars[-1].event_count == 3
        assert again.correlator.counts()[GUESSED].entries == 3
    finally:
        again.close()


def test_a_turn_that_fails_is_counted_once_when_it_is_done_again(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(house, 0, 10)
    refuse(house, 20, drain=False)

    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(house.spool, "commit", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            house.flow.turn()
    assert alerts(house) == []
    house.flow.drain()
    (alert,) = alerts(house)
    assert (alert.count, alert.corrected, alert.exemplars[-1].event_count) == (1, 0, 3)


def test_a_changed_bound_is_in_force_from_the_next_event_and_loses_none(
    house: Tocsin, settings: Settings
) -> None:
    refuse(house, 0, 10)
    (settings.home / "rules" / "ssh.yml").write_text(RULES.replace("BOUND", "gte: 4"))
    told = house.rule_keeper.look(datetime.now(UTC))
    assert told is not None
    assert told.changed == (GUESSED,)
    refuse(house, 20)
    assert alerts(house) == []
    assert house.rule(GUESSED) is not None
    refuse(house, 30, 40, 50, 60)
    assert len(alerts(house)) == 1


def test_a_rule_that_measures_something_else_starts_afresh_after_a_restart(
    house: Tocsin, settings: Settings
) -> None:
    refuse(house, 0, 10)
    house.close()
    changed = RULES.replace("BOUND", "gte: 3").replace("group-by: [src_ip]", "group-by: [user]")
    (settings.home / "rules" / "ssh.yml").write_text(changed)
    again = open_tocsin(settings)
    try:
        assert again.correlator.counts()[GUESSED].entries == 0
        refuse(again, 20)
        assert alerts(again) == []
    finally:
        again.close()


ABSENT = """
title: No sign-in follows
id: 6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c02
status: test
absence:
    rules: [refused, accepted]
    group-by: [src_ip]
    timespan: 5m
level: medium
---
title: Password is accepted
id: 3d5f2f6e-4a0c-4f66-8d55-9d0f2b1b0a02
name: accepted
status: test
logsource: {product: linux, service: sshd}
detection:
    selection:
        message|startswith: "Accepted password"
    condition: selection
level: low
"""


def test_what_is_missed_is_told_by_time_alone_and_taken_back_when_it_comes_late(
    settings: Settings,
) -> None:
    (settings.home / "rules" / "absent.yml").write_text(ABSENT)
    house = open_tocsin(settings)
    try:
        refuse(house, 0)
        assert alerts(house) == []
        now = datetime.now(UTC)
        assert house.flow.close_windows(now + timedelta(minutes=20)) == 1
        assert house.flow.close_windows(now + timedelta(minutes=21)) == 0
        (missed,) = alerts(house)
        assert missed.rule_title == "No sign-in follows"
        assert missed.status is AlertStatus.NEW
        line = (
            f"<38>1 {(START + timedelta(seconds=60)).isoformat()} jump sshd 42 - - "
            f"Accepted password for root from {ATTACKER} port 50999 ssh2"
        )
        house.spool.append(
            [RawBatch("syslog/jump", line.encode(), datetime.now(UTC), Framing.SYSLOG)]
        )
        house.flow.drain()
        (back,) = alerts(house)
        assert (back.status, back.disposition) == (AlertStatus.CLOSED, Disposition.RETRACTED)
    finally:
        house.close()


NEW_TERMS = """
title: Address was never refused here before
id: 6ba6a0a6-9a47-4b5e-9e3b-0f5f7f0c0c02
status: test
logsource: {product: linux, service: sshd}
detection:
    selection:
        message|startswith: "Failed password"
    condition: selection
new_terms:
    fields: [src_ip]
    window: 30d
    learning: 0s
level: medium
tocsin:
    entity: [address]
"""


def test_a_value_never_seen_before_makes_an_alert(settings: Settings) -> None:
    (settings.home / "rules" / "ssh.yml").write_text(NEW_TERMS)
    house = open_tocsin(settings)
    try:
        assert house.ruleset.problems == ()
        refuse(house, 0, 10)
        assert [alert.rule_title for alert in alerts(house)] == [
            "Address was never refused here before"
        ]
    finally:
        house.close()


def test_the_last_events_of_many_verdicts_are_looked_up_together(house: Tocsin) -> None:
    refuse(house, *range(0, 500, 2), source="syslog/other")
    stored = house.events.search(EventQuery("Failed", size=500)).events
    assert len(stored) == 250
    unknown = "0" * len(stored[0].event_id)
    rule = house.ruleset.stateful[0].rule
    verdicts = [verdict(rule, (one.event_id,), one.time) for one in stored]
    late = verdict(rule, (unknown, stored[0].event_id), stored[0].time + timedelta(days=1))
    for asked in ([*verdicts, verdict(rule, (unknown,), START), verdict(rule, (), START)], [late]):
        found = last_events(house.events, asked)
        expected = {one.event_ids[-1] for one in asked if one.event_ids} - {unknown}
        assert found.keys() == expected
        alone = {event_id: house.events.get(event_id) for event_id in [*expected][:5]}
        assert {event_id: found[event_id] for event_id in alone} == alone


def verdict(rule: Rule, event_ids: tuple[str, ...], time: datetime) -> Correlated:
    return Correlated(
        rule=rule,
        finding_id="finding",
        group=(),
        since=START,
        time=time,
        measured=1.0,
        because="",
        event_ids=event_ids,
        event_count=len(event_ids),
        lane="",
        source="",
        native={},
        ocsf={},
    )
