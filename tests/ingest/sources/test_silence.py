"""Silence is judged by each source's own cadence, in event time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ingest.sources.cadence import expected_interval_s, learn
from tocsin.ingest.sources.health_rules import HEALTH_RULES
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.ingest.sources.silence import find_silent, silence_findings, silent_since
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.ingest.sources.week_learning import learn_weeks
from tocsin.model.entity import EntityKind
from tocsin.model.source import SourceLedger
from tocsin.store.state import metadata

START = datetime(2026, 3, 1, tzinfo=UTC)
BOOK = SourceBook()


@pytest.fixture
def tx() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def feed(
    tx: sa.Connection,
    source: str,
    times: list[datetime],
    *,
    turn: int = 50,
    now: datetime | None = None,
) -> None:
    """Book events in turns, each at the time of its last event (or at ``now``)."""
    for at in range(0, len(times), turn):
        part = times[at : at + turn]
        micros = [int(moment.timestamp()) * 1_000_000 for moment in part]
        sent = SourceTurn(
            source=source,
            received=len(part),
            stored=len(part),
            quarantined=0,
            unrecognized=0,
            received_bytes=0,
            first_time=min(part),
            last_time=max(part),
            lanes=("x.y",),
            times_us=np.array(micros, dtype=np.int64),
        )
        BOOK.add(tx, [sent], now or max(part))


def every(step: timedelta, count: int, start: datetime = START) -> list[datetime]:
    return [start + n * step for n in range(count)]


def silent(tx: sa.Connection, now: datetime) -> list[str]:
    return [ledger.name for ledger in find_silent(BOOK.sources(tx, now))]


def test_a_steady_source_is_silent_after_the_floor(tx: sa.Connection) -> None:
    feed(tx, "steady", every(timedelta(seconds=10), 1000))
    end = START + timedelta(seconds=9990)
    assert silent(tx, end + timedelta(minutes=14)) == []
    assert silent(tx, end + timedelta(minutes=16)) == ["steady"]


def test_a_backlog_that_is_caught_up_makes_nobody_silent(tx: sa.Connection) -> None:
    wall = START + timedelta(hours=24)
    feed(tx, "one", every(timedelta(seconds=10), 1000), now=wall)
    feed(tx, "two", every(timedelta(seconds=10), 1000), now=wall)
    assert silent(tx, wall + timedelta(minutes=1)) == []
    assert sorted(silent(tx, wall + timedelta(minutes=16))) == ["one", "two"]


def test_who_stopped_before_the_backlog_ends_is_silent(tx: sa.Connection) -> None:
    wall = START + timedelta(hours=24)
    feed(tx, "stopped", every(timedelta(seconds=10), 500), now=wall)
    feed(tx, "going on", every(timedelta(seconds=10), 1000), now=wall)
    assert silent(tx, wall + timedelta(minutes=1)) == [], "more of it may still come"
    later = wall + timedelta(minutes=16)
    feed(tx, "going on", every(timedelta(seconds=10), 100, START + timedelta(hours=3)), now=later)
    assert silent(tx, later) == ["stopped"]


def test_who_sends_what_was_held_back_is_late_and_not_silent(tx: sa.Connection) -> None:
    wall = START + timedelta(hours=24)
    feed(tx, "live", every(timedelta(seconds=10), 300, wall - timedelta(minutes=50)), now=wall)
    feed(tx, "held back", every(timedelta(seconds=10), 1000), now=wall)
    assert silent(tx, wall + timedelta(minutes=5)) == []
    BOOK.end_history(tx)
    assert silent(tx, wall + timedelta(minutes=5)) == ["held back"], "it was history"


@pytest.mark.parametrize("days", [2, 5, 6, 30, 400])
def test_one_event_a_day_is_not_called_silent(tx: sa.Connection, days: int) -> None:
    feed(tx, "daily", every(timedelta(days=1), days), turn=1)
    end = START + timedelta(days=days - 1)
    assert silent(tx, end + timedelta(days=2)) == []
    assert silent(tx, end + timedelta(days=4)) == (["daily"] if days > 5 else [])


def test_a_burst_a_day_is_as_slow_as_its_bursts(tx: sa.Connection) -> None:
    bursts = [
        t
        for day in range(7)
        for t in every(timedelta(seconds=1), 1000, START + timedelta(days=day))
    ]
    feed(tx, "backup", bursts, turn=300)
    assert silent(tx, START + timedelta(days=6, hours=23)) == []
    assert silent(tx, START + timedelta(days=10)) == ["backup"]


def test_office_hours_do_not_make_a_source_silent_at_night(tx: sa.Connection) -> None:
    days = [
        t
        for day in range(14)
        for t in every(timedelta(minutes=1), 540, START + timedelta(days=day, hours=8))
    ]
    feed(tx, "office", days)
    assert silent(tx, START + timedelta(days=14, hours=7)) == []


def test_who_stops_in_office_hours_is_told_long_before_its_pauses_are_over(
    tx: sa.Connection,
) -> None:
    """The pause of a weekend is no reason to wait for three of them."""
    monday = START + timedelta(days=1)
    days = [monday + timedelta(days=day, hours=8) for day in range(21) if day % 7 < 5]
    for start in days:
        feed(tx, "office", every(timedelta(minutes=1), 600, start), turn=600)
        learn_weeks(tx, BOOK.sources(tx, start), start + timedelta(hours=12))
    assert silent(tx, monday + timedelta(days=21, hours=7, minutes=55)) == []
    back = every(timedelta(minutes=1), 180, monday + timedelta(days=21, hours=8))
    feed(tx, "office", back, turn=180)
    learn_weeks(tx, BOOK.sources(tx, back[-1]), back[-1])
    assert silent(tx, back[-1] + timedelta(minutes=14)) == []
    now = back[-1] + timedelta(minutes=35)
    assert silent(tx, now) == ["office"]
    ledgers = BOOK.sources(tx, now)
    assert ledgers[0].missed >= 20
    (finding,) = silence_findings(find_silent(ledgers), ledgers, now)
    assert "in these hours of the week it usually sends at least" in str(finding.fields["because"])
    assert finding.time == now


def test_one_long_outage_does_not_dull_the_ear(tx: sa.Connection) -> None:
    times = every(timedelta(minutes=1), 20 * 1440)
    times += every(timedelta(minutes=1), 20 * 1440, times[-1] + timedelta(hours=6))
    feed(tx, "web", times, turn=500)
    assert silent(tx, times[-1] + timedelta(minutes=20)) == ["web"]


def test_a_new_source_is_given_time(tx: sa.Connection) -> None:
    feed(tx, "new", every(timedelta(seconds=10), 3))
    assert silent(tx, START + timedelta(days=30)) == []


def test_an_archive_that_was_read_in_is_never_silent(tx: sa.Connection) -> None:
    feed(tx, "archive", every(timedelta(seconds=10), 1000), now=START + timedelta(days=300))
    assert silent(tx, START + timedelta(days=301)) == []


def test_turns_without_exact_times_learn_from_their_ends(tx: sa.Connection) -> None:
    for n in range(40):
        first = START + n * timedelta(minutes=1)
        last = first + timedelta(seconds=59)
        sent = SourceTurn(
            source="web", received=60, stored=60, quarantined=0, unrecognized=0, received_bytes=0,
            first_time=first, last_time=last, lanes=(),
        )  # fmt: skip
        BOOK.add(tx, [sent], last)
    (ledger,) = BOOK.sources(tx, START)
    assert ledger.expected_interval_s == pytest.approx(1.0)


def test_late_events_do_not_end_a_silence_and_new_ones_do(tx: sa.Connection) -> None:
    feed(tx, "web", every(timedelta(seconds=10), 1000))
    now = START + timedelta(hours=5)
    feed(tx, "web", every(timedelta(seconds=10), 10, START + timedelta(minutes=5)), now=now)
    feed(tx, "still sending", [now])
    assert silent(tx, now) == ["web"]
    feed(tx, "web", [now])
    assert silent(tx, now) == []


def test_findings_name_the_source_and_say_why(tx: sa.Connection) -> None:
    feed(tx, "Syslog/FW1", every(timedelta(seconds=60), 200))
    now = START + timedelta(hours=12)
    feed(tx, "web", every(timedelta(seconds=60), 720))
    ledgers = BOOK.sources(tx, now)
    (finding,) = silence_findings(find_silent(ledgers), ledgers, now)
    assert finding.rule_id == HEALTH_RULES[0].id
    assert finding.source == "Syslog/FW1"
    assert (finding.entities[0].kind, finding.entities[0].name) == (EntityKind.SOURCE, "syslog/fw1")
    assert {field.name for field in finding.matched} == {"last_seen", "expected_interval_s"}
    because = str(finding.fields["because"])
    assert "8.7 h ago" in because
    assert "every 60 s, allowed is 15 min" in because
    assert "1 other sources" in because
    assert finding.time == START + timedelta(seconds=199 * 60) + timedelta(minutes=15)


def test_one_silence_is_one_finding_and_the_next_is_another(tx: sa.Connection) -> None:
    def identifiers(now: datetime) -> set[str]:
        ledgers = BOOK.sources(tx, now)
        return {found.finding_id for found in silence_findings(find_silent(ledgers), ledgers, now)}

    feed(tx, "web", every(timedelta(seconds=60), 200))
    first = identifiers(START + timedelta(hours=6))
    assert len(first) == 1
    assert identifiers(START + timedelta(hours=9)) == first
    feed(tx, "web", every(timedelta(seconds=60), 10, START + timedelta(hours=10)))
    second = identifiers(START + timedelta(hours=20))
    assert len(second) == 1
    assert second != first


def test_a_silence_is_reported_once_until_it_ends(tx: sa.Connection) -> None:
    feed(tx, "web", every(timedelta(seconds=60), 200))
    now = START + timedelta(hours=6)
    quiet = find_silent(BOOK.sources(tx, now))
    assert BOOK.unreported(tx, quiet) == quiet
    BOOK.mark_reported(tx, quiet)
    later = now + timedelta(hours=1)
    assert BOOK.unreported(tx, find_silent(BOOK.sources(tx, later))) == []
    feed(tx, "web", every(timedelta(seconds=60), 10, now))
    much_later = now + timedelta(days=1)
    again = find_silent(BOOK.sources(tx, much_later))
    assert [ledger.name for ledger in BOOK.unreported(tx, again)] == ["web"]


def test_a_second_equal_pause_is_a_habit(tx: sa.Connection) -> None:
    hours = [0, 6, 12, 18]
    times = [
        t
        for hour in hours
        for t in every(timedelta(seconds=10), 100, START + timedelta(hours=hour))
    ]
    feed(tx, "batch", times, turn=100)
    assert silent(tx, START + timedelta(hours=30)) == []


def test_when_nobody_sends_the_reason_points_at_ourselves(tx: sa.Connection) -> None:
    feed(tx, "web", every(timedelta(seconds=60), 200))
    now = START + timedelta(hours=12)
    ledgers = BOOK.sources(tx, now)
    (finding,) = silence_findings(find_silent(ledgers), ledgers, now)
    assert "look at the network and at Tocsin itself first" in str(finding.fields["because"])


def test_a_ledger_without_a_cadence_is_never_silent() -> None:
    ledger = SourceLedger("x", "default", 1, 1, 0, 0, 1, START, START, START)
    assert find_silent([silent_since(ledger, START + timedelta(days=999))]) == []


@given(st.lists(st.lists(st.floats(0, 1e7), max_size=20), max_size=20))
def test_what_is_learned_stays_bounded_and_within_what_was_seen(turns: list[list[float]]) -> None:
    gaps: dict[str, list[float]] = {}
    for turn in turns:
        gaps = learn(gaps, np.array(turn))
    assert len(gaps) <= 40
    expected = expected_interval_s(gaps)
    seen = [gap for turn in turns for gap in turn if gap > 0]
    assert expected is None or min(seen) <= expected <= max(seen)
