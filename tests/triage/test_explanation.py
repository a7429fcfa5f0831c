"""An alert explains itself, each sentence with its grounds."""

import dataclasses
from collections.abc import Callable
from datetime import datetime

import pytest

from tocsin.model.alert import Alert, AlertStatus, Disposition
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.alerts import AlertBook
from tocsin.triage.explanation import explain_alert

RULE = Rule(
    "rule-1",
    "Title of rule-1",
    Level.HIGH,
    LogSource("windows"),
    description="An encoded command hides\n what it does.",
    questions=("Who started it?",),
    response="Isolate the host.",
    false_positives=("Software distribution",),
)
ASSET = Asset("ws01", "workstation", "dana", tier=1, services=("payroll",))
PAYROLL = BusinessService("payroll", "eva", "finn", users=240, tier=1, depends_on=("database",))


@pytest.fixture
def alert(state: SqliteState, finding: Callable[..., Finding], noon: datetime) -> Alert:
    alice = Entity(EntityKind.USER, "alice")
    with state.begin() as tx:
        (made,) = AlertBook().fold(tx, [finding(n, related=(alice,)) for n in range(3)], noon)
    return made


def test_what_happened_in_one_sentence(alert: Alert) -> None:
    explained = explain_alert(alert, RULE)
    assert explained.what.text == (
        "Title of rule-1: host ws01, 3 times, from 2026-08-03 12:00:00 UTC to "
        "2026-08-03 12:00:02 UTC, involving alice; told by sysmon."
    )
    assert "event:event-00002" in explained.what.grounds


def test_why_names_the_rule_the_matched_fields_and_the_points(alert: Alert) -> None:
    explained = explain_alert(alert, RULE)
    texts = [statement.text for statement in explained.why]
    assert texts[0] == "An encoded command hides what it does."
    assert texts[1] == (
        "CommandLine is 'powershell -enc AAA', which the rule looks for as "
        "CommandLine|contains: -enc."
    )
    assert explained.why[1].grounds == ("field:CommandLine", "event:event-00002", "rule:rule-1")
    assert "+75 of score 76.25: rule of level high." in texts
    assert explained.matched == alert.exemplars[-1].matched


def test_so_what_names_asset_services_and_tactics(alert: Alert) -> None:
    texts = [statement.text for statement in explain_alert(alert, RULE, ASSET, [PAYROLL]).so_what]
    assert texts == [
        "ws01 is a critical workstation (tier 1), owned by dana.",
        "It carries payroll (tier 1), which 240 people use and needs database; eva owns it.",
        "In ATT&CK this belongs to Execution.",
        "Techniques: T1059.001.",
    ]


def test_an_unknown_asset_is_an_open_question(alert: Alert) -> None:
    assert "no asset we know" in explain_alert(alert, RULE).so_what[0].text


def test_what_next_gives_questions_response_and_the_next_move(alert: Alert) -> None:
    texts = [statement.text for statement in explain_alert(alert, RULE, ASSET, [PAYROLL]).what_next]
    assert texts == [
        "Who started it?",
        "Isolate the host.",
        "Known harmless cause to rule out: Software distribution.",
        "What touches payroll needs the word of finn.",
        "Nobody has taken this alert: acknowledge it, or close it with a reason.",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": AlertStatus.ACKNOWLEDGED, "assignee": "ann"}, "ann has it: open a case"),
        (
            {"status": AlertStatus.ACKNOWLEDGED, "assignee": "ann", "case_id": "case-1"},
            "ann has it; it goes on in case-1.",
        ),
        (
            {
                "status": AlertStatus.CLOSED,
                "disposition": Disposition.FALSE_POSITIVE,
                "reason": "a test",
            },
            "Closed as false positive: a test",
        ),
    ],
)
def test_the_next_move_follows_the_status(
    alert: Alert, change: dict[str, object], expected: str
) -> None:
    changed = dataclasses.replace(alert, **change)  # type: ignore[arg-type]
    assert explain_alert(changed, RULE).what_next[-1].text.startswith(expected)


def test_a_rule_that_is_gone_is_said_to_be(alert: Alert) -> None:
    assert "no longer loaded" in explain_alert(alert, None).why[0].text


def test_every_statement_has_grounds(alert: Alert) -> None:
    explained = explain_alert(alert, RULE, ASSET, [PAYROLL])
    parts = [explained.what, *explained.why, *explained.so_what, *explained.what_next]
    assert all(":" in ground for part in parts for ground in part.grounds)
    assert all(part.grounds for part in parts)
