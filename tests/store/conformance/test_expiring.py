"""What is due goes, exactly that, step by step; everything else stays as it was."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.store.keeping import CountedFrom, Expiry, Held, Span
from tocsin.store.query import EventQuery

INTAKE, EVENT = CountedFrom.INTAKE, CountedFrom.EVENT
LATER = timedelta(days=400)


def all_of(events) -> dict[str, object]:
    return {one.event_id: one for one in events.search(EventQuery(size=1000)).events}


def expire(events, state, *expiries) -> int:
    """All steps, until nothing is due; how many events went."""
    gone = 0
    for _ in range(20):
        with events.expiring(expiries) as step, state.begin() as tx:
            step.delete(tx)
        gone += step.events
        if step.is_all:
            return gone
    raise AssertionError("it does not end")


def test_lots_say_what_is_stored_by_source_and_day(events, store, make_batch, noon):
    day_s = 86_400
    store(make_batch([{}] * 3, source="a"), make_batch([{}] * 2, source="b", position=day_s))
    store(make_batch([{}], source="a", tenant="other", position=2 * day_s))
    lots = sorted(events.lots(), key=lambda lot: lot.day)
    told = [(lot.tenant, lot.source, lot.day.isoformat(), lot.events) for lot in lots]
    assert told == [
        ("default", "a", "2026-03-01", 3),
        ("default", "b", "2026-03-02", 2),
        ("other", "a", "2026-03-03", 1),
    ]
    assert all(lot.size_bytes > 0 for lot in lots)
    assert lots[0].first_time == noon
    assert lots[0].first_received == noon + timedelta(hours=1)


def test_the_disk_is_told(events):
    disk = events.disk()
    assert 0 < disk.free_bytes <= disk.total_bytes


def test_only_what_is_due_goes(events, state, store, make_batch, noon):
    for position in range(6):
        both = (
            make_batch([{"native": {"n": position}}] * 5, source=name, position=position)
            for name in ("a", "b")
        )
        store(*both)
    before = all_of(events)
    wanted = Expiry("default", "a", noon + timedelta(hours=1, seconds=4), INTAKE)
    due = events.due([wanted])
    assert sum(lot.events for lot in due) == 20
    assert {lot.source for lot in due} == {"a"}
    assert all_of(events) == before, "asking takes nothing"
    assert expire(events, state, wanted) == 20
    after = all_of(events)
    assert after.items() <= before.items()
    gone = before.keys() - after.keys()
    assert {(before[one].source, before[one].ingested_at < wanted.before) for one in gone} == {
        ("a", True)
    }
    assert len(gone) == 20
    assert events.due([wanted]) == []
    assert events.search(EventQuery("source:a AND native.n:5")).total == 5


def test_whole_segments_go_first_and_others_a_few_at_a_time(events, state, store, make_batch, noon):
    for position in range(6):
        store(
            make_batch([{}], source="a", position=position),
            make_batch([{}], source="b", position=position),
        )
    store(make_batch([{}] * 7, source="a", position=6))
    wanted = Expiry("default", "a", noon + LATER)
    with events.expiring([wanted]) as step, state.begin() as tx:
        assert (step.events, step.is_all) == (7, False)
        step.delete(tx)
    assert events.count() == 12
    assert expire(events, state, wanted) == 6
    assert {one.source for one in all_of(events).values()} == {"b"}


def test_a_step_that_is_given_up_takes_nothing(events, state, store, make_batch, noon):
    store(make_batch([{}] * 4, source="a"), make_batch([{}] * 4, source="b", position=1))
    before = all_of(events)
    wanted = Expiry("default", "a", noon + LATER)
    with events.expiring([wanted]) as step:
        assert step.events == 4
    assert all_of(events) == before
    assert expire(events, state, wanted) == 4


def test_another_tenants_source_of_the_same_name_stays(events, state, store, make_batch, noon):
    store(make_batch([{}], source="a"), make_batch([{}], source="a", tenant="other", position=1))
    expire(events, state, Expiry("other", "a", noon + LATER))
    assert [one.tenant for one in all_of(events).values()] == ["default"]


@pytest.mark.parametrize(
    ("spared", "stays"),
    [
        (Span(), {0, 10, 20, 30}),
        (Span(start=datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)), {0, 10, 20, 30}),
        (Span(end=datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)), {0}),
        (
            Span(
                datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC),
                datetime(2026, 3, 1, 12, 0, 25, tzinfo=UTC),
            ),
            {10, 20},
        ),
        (
            Span(datetime(2026, 3, 1, 12, 59, tzinfo=UTC), datetime(2026, 3, 1, 13, 1, tzinfo=UTC)),
            {0, 10, 20, 30},
        ),
        (Span(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)), set()),
    ],
)
def test_what_is_spared_by_its_time_or_its_intake_stays(
    events, state, store, make_batch, noon, spared, stays
):
    rows = [{"at": at, "native": {"at": at}} for at in (0, 10, 20, 30)]
    store(make_batch(rows))
    expire(events, state, Expiry("default", "sensor", noon + LATER, spared=(spared,)))
    assert {one.native["at"] for one in all_of(events).values()} == stays


DAY = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
OTHER_DAY = Span(datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("held", "stays"),
    [
        ((Held(Span(), "user:alice"),), {0, 3, 6}),
        ((Held(Span(), "user:ALICE OR host:ws-07"), Held(OTHER_DAY, "*")), {0, 3, 4, 6}),
        ((Held(DAY, "native.said:*alice*"),), {0, 2, 6}),
        ((Held(OTHER_DAY, "user:alice"), Held(Span(), "user:nobody")), set()),
        ((Held(Span(), "user:alice"), Held(Span(), "NOT user:alice")), set(range(7))),
    ],
)
def test_what_the_filter_of_a_hold_finds_stays_and_the_rest_around_it_goes(
    events, state, store, make_batch, noon, held, stays
):
    ocsf: dict[int, dict[str, str]] = {
        **{one: {"user.name": "alice"} for one in (0, 3, 6)},
        1: {"user.name": "bob"},
        4: {"device.hostname": "WS-07"},
    }
    said = {0: "of Alice", 2: "alice's", 5: "bob", 6: "ALICE"}
    rows = [
        {"ocsf": ocsf.get(n, {}), "native": {"n": n, "said": said.get(n, "-")}} for n in range(7)
    ]
    store(make_batch(rows[:3]), make_batch(rows[3:5], lane="test.other", position=1))
    store(make_batch(rows[5:6], position=2))
    store(make_batch(rows[6:], position=3))
    before = all_of(events)
    wanted = Expiry("default", "sensor", noon + LATER, held=held)
    assert sum(lot.events for lot in events.due([wanted])) == 7 - len(stays)
    assert expire(events, state, wanted) == 7 - len(stays)
    after = all_of(events)
    assert after.items() <= before.items()
    assert {one.native["n"] for one in after.values()} == stays
    assert events.due([wanted]) == []
    lifted = Expiry("default", "sensor", noon + LATER)
    assert expire(events, state, lifted) == len(stays)


TIMES = {
    "1970": datetime(1970, 1, 1, tzinfo=UTC),
    "2019": datetime(2019, 5, 1, tzinfo=UTC),
    "2099": datetime(2099, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("counted_from", "before", "goes"),
    [
        (INTAKE, datetime(2026, 3, 1, tzinfo=UTC), set()),
        (INTAKE, datetime(2026, 3, 2, tzinfo=UTC), {"1970", "2019", "2099", "now"}),
        (EVENT, datetime(2026, 3, 1, tzinfo=UTC), {"2019"}),
        (EVENT, datetime(2026, 3, 1, 12, 30, tzinfo=UTC), {"2019", "now"}),
        (EVENT, datetime(2026, 3, 2, tzinfo=UTC), {"1970", "2019", "2099", "now"}),
    ],
)
def test_a_time_that_is_not_believable_does_not_count(
    events, state, store, make_batch, noon, counted_from, before, goes
):
    rows = [{"at": at, "native": {"w": name}} for name, at in {**TIMES, "now": noon}.items()]
    store(make_batch(rows))
    expire(events, state, Expiry("default", "sensor", before, counted_from))
    assert {one.native["w"] for one in all_of(events).values()} == {*TIMES, "now"} - goes


def test_what_a_server_in_1970_took_in_counts_by_its_own_time(
    events, state, store, make_batch, noon
):
    rows = [{"at": at, "native": {"w": name}} for name, at in {**TIMES, "now": noon}.items()]
    since_1970 = int((noon - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    store(make_batch(rows, position=-since_1970))
    expire(events, state, Expiry("default", "sensor", noon, INTAKE))
    assert len(all_of(events)) == 4
    expire(events, state, Expiry("default", "sensor", noon + LATER, INTAKE))
    assert {one.native["w"] for one in all_of(events).values()} == {"1970", "2019", "2099"}
