"""The alert page tells what was counted, how the count changed, and what was taken back."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from tests.console.conftest import Visitors
from tests.console.living import Living
from tocsin.app.wiring import Tocsin
from tocsin.console.counting import BARS, Counting, counting_of
from tocsin.model.alert import Alert
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import new_id
from tocsin.model.severity import Level

NOW = datetime.now(UTC)
COUNTED = "12 events of “SSH password is refused” with src_ip 203.0.113.9 in 4 minutes"


def verdict(**more: object) -> Finding:
    first = Finding(
        finding_id=new_id("finding"),
        rule_id=new_id("rule"),
        rule_title="Passwords are guessed",
        level=Level.HIGH,
        time=NOW,
        event_id="event-11",
        lane="linux.sshd",
        source="syslog/jump",
        tags=(),
        techniques=(),
        entities=(Entity(EntityKind.ADDRESS, "203.0.113.9"),),
        matched=(MatchedField("measured", "12", "event_count 12, gte 10 within 5m"),),
        fields={"src_ip": "203.0.113.9"},
        ocsf={},
        since=NOW - timedelta(minutes=4),
        evidence=tuple(f"event-{number}" for number in range(12)),
        event_count=12,
        because=COUNTED,
    )
    return dataclasses.replace(first, **more)


def put(house: Tocsin, *findings: Finding) -> Alert:
    with house.state.begin() as tx:
        return house.alerts.fold(tx, findings, NOW)[-1]


@pytest.fixture
def told(house: Tocsin) -> Finding:
    finding = verdict()
    put(house, finding)
    return finding


def of(house: Tocsin, finding: Finding) -> Alert:
    with house.state.read() as tx:
        return house.alerts.page(tx, rule_id=finding.rule_id).items[0]


def test_the_page_says_what_was_counted(house: Tocsin, visitors: Visitors, told: Finding) -> None:
    page = visitors("ada.lind").get(f"/alerts/{of(house, told).id}")
    assert page.status_code == 200
    assert COUNTED in page.text
    assert "Its events are no longer kept" in page.text
    assert "Corrected" not in page.text


def test_the_page_says_how_often_it_was_corrected(
    house: Tocsin, visitors: Visitors, told: Finding
) -> None:
    again = verdict(
        rule_id=told.rule_id, supersedes=told.finding_id, because="14 events", event_count=14
    )
    page = visitors("ada.lind").get(f"/alerts/{put(house, again).id}").text
    assert "Corrected once" in page
    assert COUNTED in page, "what it was before is kept"
    assert "14 events" in page


def test_a_retraction_is_said_aloud(house: Tocsin, visitors: Visitors, told: Finding) -> None:
    back = verdict(
        rule_id=told.rule_id, supersedes=told.finding_id, retracted=True, because="Retracted: 9"
    )
    alert = put(house, back)
    page = visitors("ada.lind").get(f"/alerts/{alert.id}").text
    assert "nothing of this alert holds any more" in page
    assert "Closed as retracted" in page
    assert "Taken back" in page


def test_an_alert_of_single_events_has_no_counting(house: Tocsin) -> None:
    alert = put(house, verdict(since=None, evidence=(), event_count=1, because=""))
    assert alert.exemplars[-1].since is None


def test_the_bars_cover_the_window_from_first_to_last_event(living: Living) -> None:
    class Someone:
        tocsin = living.house

        def may(self, permission: str) -> bool:
            return True

    with living.house.state.read() as tx:
        everything = living.house.alerts.page(tx, size=1000).items
        counted = next(one for one in everything if one.exemplars and one.exemplars[-1].since)
        verdicts = living.house.alerts.verdicts(tx, counted.id)
    counting = counting_of(Someone(), counted, verdicts)  # type: ignore[arg-type]
    assert isinstance(counting, Counting)
    assert counting.standing == counted.count
    assert sum(bar.count for bar in counting.bars) == counting.evidence_count
    assert 0 <= counting.bars[0].left <= counting.bars[-1].left <= 100 - 100 / BARS
    assert max(bar.height for bar in counting.bars) == 100


def test_rules_are_listed_by_kind_and_told_in_words(living_visitors: Visitors) -> None:
    ada = living_visitors("ada.lind")
    listed = ada.get("/rules?kind=correlation").text
    assert "SSH passwords are guessed from one address" in listed
    page = ada.get("/rules/5b0e9a0e-7f5e-4a57-8f3b-7a1f6c1d2e13").text
    assert "at least 10 events of “SSH password is refused”" in page
    assert "within 5 minutes" in page
    assert "Remembers now" in page
    assert 'href="/rules/0d0e3b65-3b58-4a53-9f8f-4d6f6a5b7c11"' in page
    block = ada.get("/rules/0d0e3b65-3b58-4a53-9f8f-4d6f6a5b7c11").text
    assert "A building block" in block
    health = ada.get("/rules/e849f0ea-2d3d-4fee-8d70-25465768739d").text
    assert "free_share of a disk less than 0.1 for 5 minutes" in health


def test_an_engineer_has_the_rules_read_again(house: Tocsin, visitors: Visitors) -> None:
    answer = visitors("ebba.only").post("/rules/reload")
    assert answer.status_code == 303
    assert visitors("nils.only").post("/rules/reload").status_code == 403
    with house.state.read() as tx:
        entry = next(one for one in house.audit.page(tx).items if one.action == "rules.reload")
    assert entry.actor == "ebba.only"
