"""The shipped mappings and rules tell the day: every stage is seen, and little else."""

from datetime import UTC, datetime

import pytest

from tests.exercise.walk import Told, Walk
from tocsin.exercise.company import Company
from tocsin.exercise.day import quiet_plan, sending_plan
from tocsin.exercise.linux_day import SILENT_HOST
from tocsin.exercise.stages import STAGES, stages_seen
from tocsin.exercise.trouble import BROKEN_RECORDS
from tocsin.model.severity import Level

END = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
EVENTS = 14_000


@pytest.fixture(scope="module")
def told(walk: Walk, company: Company) -> Told:
    return walk.tell(sending_plan(company, end=END, events=EVENTS, seed=7))


@pytest.fixture(scope="module")
def quiet(walk: Walk, company: Company) -> Told:
    return walk.tell(quiet_plan(company, end=END, events=EVENTS, seed=7))


def test_every_record_is_stored_or_is_one_of_the_broken(told: Told) -> None:
    assert len(told.unreadable) == BROKEN_RECORDS
    assert sum(told.lanes.values()) == EVENTS - BROKEN_RECORDS


def test_every_record_is_recognized(told: Told) -> None:
    assert told.lanes["unknown.record"] <= 0.005 * EVENTS
    connectors = {lane.partition(".")[0] for lane in told.lanes}
    assert connectors - {"unknown"} == {
        *("windows", "linux", "auditd", "aws", "zeek", "suricata", "webserver", "okta"),
        *("kubernetes", "github", "postgresql"),
    }


def test_every_stage_but_the_silence_is_seen_by_rules(told: Told) -> None:
    silence = ("any", f"source:syslog/{SILENT_HOST}")
    seen = stages_seen([*told.alerts, silence])
    assert [stage.name for stage in STAGES if stage not in seen] == []


def test_the_day_is_worth_exploring_and_not_a_flood(told: Told) -> None:
    assert 30 <= len(told.alerts) <= 50
    assert sum(told.alerts.values()) > 4 * len(told.alerts)


def test_an_ordinary_day_raises_nothing_serious(quiet: Told) -> None:
    loud = [
        f"{quiet.titles[alert]} ({alert[1]})"
        for alert, level in quiet.levels.items()
        if level.rank >= Level.HIGH.rank
    ]
    assert loud == []
    assert 6 <= len(quiet.alerts) <= 12


def test_several_events_tell_what_no_single_one_does(told: Told, quiet: Told) -> None:
    assert told.correlated >= {
        "Account is created soon after a sign-in from outside",
        "SSH passwords are guessed from one address",
        "The trail is switched off soon after an access key was made",
        "Memory of LSASS is read soon after a document started a shell",
    }
    assert quiet.correlated == set()


def test_the_scanner_never_ranks_high(told: Told, company: Company) -> None:
    scanner = f"address:{company.address('nh-scan01')}"
    levels = {level for (_, entity), level in told.levels.items() if entity == scanner}
    assert levels == {Level.LOW}
