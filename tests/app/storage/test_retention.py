"""Events go by age and size, by the most exact rule; nothing goes by a wrong clock or at a hold."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.kept_events import store_events
from tocsin.app.access.audit import AuditLog
from tocsin.app.settings.retention_settings import RetentionSettings
from tocsin.app.storage.holds import HoldError
from tocsin.app.storage.retention import Retention
from tocsin.app.storage.retention_book import RetentionError
from tocsin.model.retention import CountedFrom, RetentionRule
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.keeping import DiskSpace
from tocsin.store.query import EventQuery

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PLENTY = 10**12


@pytest.fixture
def state(tmp_path):
    opened = SqliteState(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def events(tmp_path, state):
    opened = ParquetEvents(tmp_path / "events", state)
    yield opened
    opened.close()


@pytest.fixture
def retention(state, events):
    return Retention(RetentionSettings(), state, events, AuditLog())


@pytest.fixture
def take_in(events, state):
    """Events taken in so many days before NOW."""

    def take(days: float, count: int = 1, **more):
        return store_events(events, state, NOW - days * DAY, count, **more)

    return take


def steps(retention, now=NOW) -> int:
    """Step until nothing more goes; how many steps took something."""
    taken = 0
    while retention.step(now):
        taken += 1
        assert taken < 50
    return taken


def entries(state, action):
    with state.read() as tx:
        return [one for one in AuditLog().page(tx, size=500).items if one.action == action]


def sources_left(events) -> list[str]:
    return sorted(one.source for one in events.search(EventQuery(size=1000)).events)


def test_without_a_rule_nothing_goes(retention, events, take_in):
    take_in(5000)
    assert steps(retention) == 0
    assert events.count() == 1


def test_what_is_older_than_the_rule_says_goes_and_is_told(retention, events, state, take_in):
    for days in range(47, 60):
        take_in(days)
    take_in(0, 37)
    retention.put(RetentionRule("all", keep_days=50), by="anna", now=NOW)
    assert retention.due(NOW).events == 9
    steps(retention)
    assert events.count() == 41
    (told,) = entries(state, "retention.delete")
    assert (told.actor, told.subject) == ("retention", "all")
    assert "9 events" in told.detail
    assert "by the rule *: 50 days: sensor 9 taken in from 2026-04-03T12:30:00Z" in told.detail
    (put,) = entries(state, "retention.set")
    assert (put.actor, put.subject, put.detail) == ("anna", "all", "*: 50 days")


def test_the_most_exact_rule_alone_says_how_old_events_get(retention, events, take_in):
    names = ("syslog/fw1", "syslog/fw2", "windows/dc", "proxy")
    for days, count in ((5, 1), (20, 1), (100, 1), (0, 14)):
        take_in(days, count, sources=names)
    rules = (
        RetentionRule("all", keep_days=90),
        RetentionRule("network", source="syslog/*", keep_days=10),
        RetentionRule("fw2", source="syslog/fw2", keep_days=4),
        RetentionRule("controllers", source="windows/*"),
    )
    for rule in rules:
        retention.put(rule, by="anna", now=NOW)
    steps(retention)
    left = sources_left(events)
    counted = {name: left.count(name) for name in names}
    assert counted == {"syslog/fw1": 15, "syslog/fw2": 14, "windows/dc": 17, "proxy": 16}


def test_a_rule_of_one_tenant_leaves_others_alone(retention, events, take_in):
    for days in (40, 1, 1, 1, 1, 1):
        take_in(days)
        take_in(days, tenant="acme")
    retention.put(RetentionRule("acme", tenant="acme", keep_days=30), by="anna", now=NOW)
    steps(retention)
    left = events.search(EventQuery(size=100)).events
    assert sorted(one.tenant for one in left) == ["acme"] * 5 + ["default"] * 6


def test_beyond_a_size_the_oldest_go_first(retention, events, take_in):
    sizes = [take_in(days, 100).size_bytes for days in range(10, 0, -1)]
    at_most = sum(sizes[2:]) + sizes[1] // 2
    retention.book._configured = (RetentionRule("size", most_bytes=at_most),)
    assert retention.due(NOW).events == 200
    steps(retention)
    assert events.count() == 800
    oldest = events.search(EventQuery(size=1, oldest_first=True)).events[0]
    assert oldest.ingested_at == NOW - 8 * DAY
    assert retention.due(NOW).events == 0


def test_when_the_disk_has_less_free_than_asked_the_oldest_go(state, events, take_in, monkeypatch):
    for days in (9, 5, 4, 3, 2, 1):
        take_in(days, 10)
    free = 5_000_000
    rule = RetentionRule("disk", least_free_bytes=free)
    retention = Retention(RetentionSettings(), state, events, AuditLog())
    monkeypatch.setattr(events, "disk", lambda: DiskSpace(PLENTY, free - 1000))
    retention.put(rule, by="anna", now=NOW, seen_events=60)
    assert retention.due(NOW).large_lots[0].last_received == NOW - 9 * DAY
    monkeypatch.setattr(events, "disk", lambda: DiskSpace(PLENTY, free + 1))
    assert retention.due(NOW).events == 0


def test_too_much_at_once_stops_and_asks(retention, events, state, take_in):
    for days in (40, 39, 2, 1):
        take_in(days)
    rule = RetentionRule("all", keep_days=30)
    with pytest.raises(RetentionError, match=r"2 events, 50% of all.*confirm 2 events"):
        retention.put(rule, by="anna", now=NOW)
    with pytest.raises(RetentionError, match="confirm 2 events"):
        retention.put(rule, by="anna", now=NOW, seen_events=1)
    assert retention.book.rules() == ()
    retention.put(rule, by="anna", now=NOW, seen_events=2)
    assert steps(retention) == 1
    assert events.count() == 2
    assert retention.state().allowed_events == 0
    assert retention.state().stopped_because == ""


def test_a_rule_of_the_configuration_that_deletes_much_asks_first(state, events, take_in):
    for days in (40, 39, 2, 1):
        take_in(days)
    settings = RetentionSettings(rules=[{"name": "all", "keep_days": 30}])
    retention = Retention(settings, state, events, AuditLog())
    assert steps(retention) == 0
    assert steps(retention, NOW + DAY) == 0
    assert events.count() == 4
    assert "50% of all, would go at once" in retention.state().stopped_because
    assert len(entries(state, "retention.stop")) == 1, "told once"
    with pytest.raises(RetentionError, match="2 events may go by now, not 1"):
        retention.go_on(by="anna", now=NOW, seen_events=1)
    retention.go_on(by="anna", now=NOW, seen_events=2)
    steps(retention)
    assert events.count() == 2
    (allowed,) = entries(state, "retention.go_on")
    assert allowed.actor == "anna"


@pytest.mark.parametrize("leap", [8 * DAY, 365 * DAY, 5000 * DAY])
def test_a_clock_that_leaps_ahead_deletes_nothing(retention, events, take_in, leap):
    take_in(28)
    take_in(0, 30)
    retention.put(RetentionRule("all", keep_days=29), by="anna", now=NOW)
    steps(retention)
    count = events.count()
    assert steps(retention, NOW + leap) == 0
    assert events.count() == count
    assert "the clock is" in retention.state().stopped_because
    assert steps(retention, NOW + timedelta(minutes=5)) == 0
    assert retention.state().stopped_because == "", "the clock was put right"


def test_a_clock_set_back_deletes_nothing_more(retention, events, take_in):
    for days in (28, 25.5):
        take_in(days)
    take_in(0, 30)
    retention.put(RetentionRule("all", keep_days=26), by="anna", now=NOW)
    steps(retention)
    count = events.count()
    for now in (NOW - 20 * DAY, datetime(1970, 1, 1, tzinfo=UTC)):
        assert steps(retention, now) == 0
    assert events.count() == count
    assert steps(retention, NOW + DAY) == 1, "and it goes on when it is right again"
    assert events.count() == count - 1


@pytest.mark.parametrize("counted_from", CountedFrom)
def test_events_of_1970_and_2099_are_as_old_as_their_intake(
    retention, events, take_in, counted_from
):
    for year in (1970, 2099):
        take_in(3, time=datetime(year, 1, 1, tzinfo=UTC))
        take_in(300, time=datetime(year, 1, 1, tzinfo=UTC))
    rule = RetentionRule("all", keep_days=30, counted_from=counted_from)
    retention.put(rule, by="anna", now=NOW, seen_events=2)
    steps(retention)
    left = events.search(EventQuery(size=10)).events
    assert sorted(one.time.year for one in left) == [1970, 2099]
    assert {one.ingested_at for one in left} == {NOW - 3 * DAY}


def test_what_was_taken_in_by_a_clock_ahead_is_the_youngest(retention, events, take_in):
    for days in (-365, 3, 2, 1):
        take_in(days, 10)
    size = sum(lot.size_bytes for lot in events.lots())
    retention.book._configured = (
        RetentionRule("size", most_bytes=size // 2),
        RetentionRule("age", keep_days=1),
    )
    retention.go_on(by="anna", now=NOW, seen_events=40)
    steps(retention)
    left = events.search(EventQuery(size=1)).events
    assert left[0].ingested_at == NOW + 365 * DAY


def test_nothing_under_hold_goes_until_it_is_lifted(retention, events, state, take_in):
    for days, count in ((200, 1), (100, 1), (0, 18)):
        take_in(days, count, sources=("mail", "web"))
    hold = retention.holds.place(
        "Case 17",
        "asked for by the court",
        by="lea",
        now=NOW,
        sources=("mail*",),
        start=NOW - 150 * DAY,
        until=NOW - 50 * DAY,
    )
    retention.put(RetentionRule("all", keep_days=30), by="anna", now=NOW)
    assert retention.due(NOW).events == 3
    steps(retention)
    old = [one for one in events.search(EventQuery(size=100)).events if one.time < NOW - 30 * DAY]
    assert [(one.source, one.time) for one in old] == [("mail", NOW - 100 * DAY)]
    (placed,) = entries(state, "hold.place")
    assert (placed.actor, placed.subject) == ("lea", "Case 17")
    assert "mail* from 2026-01-02" in placed.detail
    retention.holds.lift("case 17", "the court is done", by="lea", now=NOW)
    assert [one.id for one in retention.holds.all() if one.is_lifted] == [hold.id]
    assert entries(state, "hold.lift")[0].detail.endswith("because: the court is done")
    assert steps(retention) == 0, "there is a day to place it again"
    steps(retention, NOW + DAY)
    assert {one.time for one in events.search(EventQuery(size=100)).events} == {NOW}


def test_the_events_of_a_person_are_held_and_the_rest_around_them_goes(
    retention, events, state, take_in
):
    for days in (200, 100, 0):
        take_in(days, 5, sources=("mail", "web"))
    hold = retention.holds.place(
        "Lee", "asked for", by="lea", now=NOW, sources=("mail*",), matching=" native.n:3 "
    )
    assert hold.matching == "native.n:3"
    retention.book._configured = (RetentionRule("all", keep_days=30),)
    retention.go_on(by="anna", now=NOW, seen_events=18)
    steps(retention)
    left = events.search(EventQuery(size=100)).events
    old = {(one.source, one.native["n"]) for one in left if one.time < NOW - 30 * DAY}
    assert old == {("mail", 3)}
    assert len(left) == 12
    (placed,) = entries(state, "hold.place")
    assert placed.detail.startswith("what native.n:3 finds in mail*, all times")
    assert steps(retention) == 0, "what is left is held: it is not looked for again and again"


def test_size_makes_room_beside_what_a_filter_holds(retention, events, take_in):
    for days in (9, 8, 7, 6, 5, 4, 3):
        take_in(days, 10)
    retention.holds.place("h", "because", by="lea", now=NOW, matching="native.n:[0 TO 8]")
    lots = events.lots()
    each = sum(lot.size_bytes for lot in lots) // len(lots)
    retention.book._configured = (RetentionRule("size", most_bytes=7 * each - each // 4),)
    assert retention.due(NOW).events == 4, "a tenth of each day may go: four give the room"
    steps(retention)
    assert events.search(EventQuery("native.n:[0 TO 8]")).total == 63


def test_a_hold_placed_while_deleting_is_thought_out_counts(retention, events, take_in):
    take_in(100)
    take_in(0, 9)
    retention.put(RetentionRule("all", keep_days=30), by="anna", now=NOW)
    expiring = events.expiring

    def placed_meanwhile(expiries):
        retention.holds.place("late", "because", by="lea", now=NOW)
        events.expiring = expiring
        return expiring(expiries)

    events.expiring = placed_meanwhile
    assert not retention.step(NOW)
    assert not retention.step(NOW)
    assert events.count() == 10


def test_size_passes_over_what_is_held(retention, events, take_in):
    for days in (9, 8, 7, 6, 5, 4, 3):
        take_in(days, 10, sources=("old",) if days == 9 else ("new",))
    retention.holds.place("h", "because", by="lea", now=NOW, sources=["old"])
    size = sum(lot.size_bytes for lot in events.lots())
    retention.book._configured = (RetentionRule("size", most_bytes=size - 10),)
    steps(retention)
    assert events.count() == 60
    assert sum(lot.events for lot in events.lots() if lot.source == "old") == 10


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "a name of at most 120"),
        ({"reason": " "}, "say why"),
        ({"sources": ["x" * 301]}, "at most 200 sources"),
        ({"start": NOW, "until": NOW - DAY}, "swap them"),
        ({"name": "TAKEN  hold"}, "another name"),
        ({"matching": "user:(alice"}, "the filter can't be read"),
        ({"matching": "usr:alice"}, "did you mean user"),
        ({"matching": "x" * 4001}, "at most 4,000 characters"),
    ],
)
def test_a_hold_that_says_too_little_is_refused(retention, wrong, told):
    retention.holds.place("taken hold", "because", by="lea", now=NOW)
    with pytest.raises(HoldError, match=told):
        retention.holds.place(**{"name": "a", "reason": "b", "by": "lea", "now": NOW, **wrong})
    assert len(retention.holds.all()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep_days": 0.5},
        {"most_bytes": 1},
        {"name": "\n"},
        {"source": ""},
        {"source": "a*", "least_free_bytes": 10**9},
        {"keep_days": float("nan")},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(retention, wrong):
    with pytest.raises(RetentionError, match="the rule can't be"):
        retention.put(RetentionRule(**{"name": "a", **wrong}), by="anna", now=NOW)
    assert retention.book.rules() == ()


def test_a_rule_set_at_run_time_stands_in_the_place_of_the_configurations(state, events):
    settings = RetentionSettings(rules=[{"name": "all", "keep_days": 30}])
    retention = Retention(settings, state, events, AuditLog())
    retention.put(RetentionRule("all", keep_days=60), by="anna", now=NOW)
    assert [one.keep_days for one in retention.book.rules()] == [60]
    retention.remove("all", by="anna", now=NOW)
    assert [(one.keep_days, one.changed_by) for one in retention.book.rules()] == [(30, "")]
    with pytest.raises(RetentionError, match="of the configuration"):
        retention.remove("all", by="anna", now=NOW)
    with pytest.raises(RetentionError, match="no rule of retention named"):
        retention.remove("none", by="anna", now=NOW)
