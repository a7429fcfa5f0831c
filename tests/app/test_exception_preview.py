"""What an exception would hide is tried on the stored findings, not only on what alerts keep."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.detect.rule_texts import ID, rule_text
from tocsin.app import exception_preview
from tocsin.app.config import load_settings
from tocsin.app.exception_preview import FindingsAtHand, preview_exception
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.lines import split_lines

NOW = datetime.now(UTC)
USERS = ("eve", "svc-backup", "svc-backup", "svc-scan")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """Forty findings of one rule over four hosts, many more than their alerts keep."""
    home = tmp_path_factory.mktemp("preview") / "home"
    (home / "rules").mkdir(parents=True)
    (home / "rules" / "one.yml").write_text(rule_text("  s: {Image: a}\n  condition: s"))
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
