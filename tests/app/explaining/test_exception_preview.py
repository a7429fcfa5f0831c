"""What an exception would hide is tried on the stored findings, not only on what alerts keep."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.detect.rule_texts import ID, rule_text
from tocsin.app.explaining import exception_preview
from tocsin.app.explaining.exception_preview import FindingsAtHand, preview_exception
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines

NOW = datetime.now(UTC)
COUNT = "5f0b7f3e-0000-4000-8000-00000000000c"
SEVERAL = f"""
title: Several
id: {COUNT}
level: high
correlation:
  type: event_count
  rules: [one]
  generate: true
  group-by: [Where]
  timespan: 1d
  aliases: {{Where: {{one: Computer}}}}
  condition: {{gte: 5}}
"""
USERS = ("eve", "svc-backup", "svc-backup", "svc-scan")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """Forty findings of one rule over four hosts, many more than their alerts keep."""
    home = tmp_path_factory.mktemp("preview") / "home"
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "one.yml").write_text(
        rule_text("  s: {Image: a}\n  condition: s", extra="name: one\n")
    )
    (home / "rules" / "several.yml").write_text(SEVERAL)
    opened = open_tocsin(
        load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    )
    records = [
        {
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Provider_Name": "Microsoft-Windows-Sysmon",
            "Computer": f"ws-{number % 4}",
            "TimeCreated": (NOW - timedelta(hours=1) + timedelta(minutes=number)).isoformat(),
            "Image": "a",
            "User": USERS[number % 4],
            "ProcessId": number,
        }
        for number in range(40)
    ]
    lines = b"\n".join(json.dumps(record).encode() for record in records)
    opened.spool.append(split_lines(lines, source="ws", received_at=NOW))
    opened.flow.drain()
    yield opened
    opened.close()


def test_every_stored_finding_is_tried_and_told_by_alert(house: Tocsin) -> None:
    told = preview_exception(house, ID, {"User|startswith": ["svc-"]}, NOW)
    assert (told.hidden, told.kept, told.stored, told.gone) == (30, 40, 40, 0)
    assert [(one.hidden, one.kept, one.is_whole) for one in told.touched] == [(10, 10, True)] * 3
    assert not told.is_partial
    one = preview_exception(house, ID, {"ProcessId": [3]}, NOW)
    assert (one.hidden, one.whole) == (1, 0)


def test_findings_of_several_events_are_tried_by_their_group_and_last_event(house: Tocsin) -> None:
    told = preview_exception(house, COUNT, {"Where": ["ws-1"]}, NOW)
    assert (told.hidden, told.kept, told.stored) == (1, 4, 4)
    assert [one.is_whole for one in told.touched] == [True]
    by_event = preview_exception(house, COUNT, {"User|startswith": ["svc-"]}, NOW)
    assert (by_event.hidden, by_event.unseen_fields) == (3, ())


def test_a_field_that_nothing_ever_had_is_told(house: Tocsin) -> None:
    told = preview_exception(house, ID, {"Usr|startswith": ["svc-"], "User": ["eve"]}, NOW)
    assert (told.hidden, told.unseen_fields) == (0, ("Usr",))
    absent = preview_exception(house, ID, {"Gone": [None], "Away|exists": [False]}, NOW)
    assert absent.unseen_fields == (), "what is to be absent need not have been seen"


def test_no_more_than_the_latest_are_looked_at_and_this_is_said(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exception_preview, "MOST_FINDINGS", 8)
    told = preview_exception(house, ID, {"User": ["eve"]}, NOW)
    assert (told.stored, told.is_partial) == (40, True)
    assert told.kept < 40


def test_findings_at_hand_are_looked_up_once_for_a_rule(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand = FindingsAtHand()
    first = preview_exception(house, ID, {"User": ["eve"]}, NOW, at_hand)
    monkeypatch.delattr(exception_preview, "stored_findings")
    again = preview_exception(house, ID, {"User": ["svc-scan"]}, NOW, at_hand)
    assert (first.hidden, again.hidden) == (10, 10)


def test_findings_whose_events_are_gone_are_counted(
    house: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(house.events), "replay", lambda *_: iter(()))
    told = preview_exception(house, ID, {"User": ["eve"]}, NOW)
    assert told.gone == told.stored == 40
    assert 0 < told.kept < 40, "what the alerts keep is still tried"
