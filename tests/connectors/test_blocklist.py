"""The blocklist: served exactly while a lease holds, and idempotent by key."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tocsin.connectors.blocklist.actions import Blocklist, make_actions
from tocsin.connectors.blocklist.tables import blocklist_entries
from tocsin.model.response import Target
from tocsin.respond.action import ActionContext
from tocsin.respond.errors import ActionFailed
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    state = SqliteState(tmp_path / "state.sqlite")
    yield state
    state.close()


@pytest.fixture
def blocklist(state: SqliteState, clock: Clock) -> Blocklist:
    return Blocklist(state, clock)


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_an_entry_is_served_until_it_expires_even_if_no_undo_comes(
    blocklist: Blocklist, clock: Clock
) -> None:
    handle = blocklist.apply("run:1", Target("ipv4_net", "203.0.113.7"), later(5))
    assert blocklist.verify(handle).holds
    assert blocklist.render(later(4)).splitlines() == [
        "# Tocsin blocklist",
        "# generated 2026-03-04T12:04:00Z",
        "# entries 1",
        "203.0.113.7",
    ]
    assert blocklist.render(later(5)).splitlines()[-1] == "# entries 0"
    clock.now = later(5)
    assert not blocklist.verify(handle).holds


def test_the_same_key_makes_one_entry_and_another_key_another(blocklist: Blocklist) -> None:
    target = Target("ipv4_net", "203.0.113.7")
    first = blocklist.apply("run:1", target, later(5))
    assert first == blocklist.apply("run:1", target, later(9))
    assert first == blocklist.handle_of("run:1", target)
    second = blocklist.apply("run:2", target, later(9))
    assert second != first
    blocklist.undo(first)
    assert blocklist.networks(NOON) == ["203.0.113.7"]  # the other lease still holds
    assert blocklist.networks(later(6)) == ["203.0.113.7"]  # and kept its own end
    blocklist.undo(second)
    assert blocklist.networks(NOON) == []


def test_undo_twice_and_undo_of_nothing_succeed(blocklist: Blocklist) -> None:
    handle = blocklist.apply("run:1", Target("ipv6_net", "2001:db8::7"), later(5))
    blocklist.undo(handle)
    why = blocklist.verify(handle).why
    blocklist.undo(handle)
    assert blocklist.verify(handle).why == why
    blocklist.undo("block-unknown")
    assert "never had" in blocklist.verify("block-unknown").why


def test_what_would_be_late_is_not_written(blocklist: Blocklist, clock: Clock) -> None:
    clock.now = later(5)
    with pytest.raises(ActionFailed, match="would have expired"):
        blocklist.apply("run:1", Target("ipv4_net", "203.0.113.7"), later(5))
    assert blocklist.networks(NOON) == []


def test_the_list_is_in_order_without_doubles(blocklist: Blocklist) -> None:
    for number, value in enumerate(["203.0.113.9", "198.51.100.0/24", "203.0.113.9", "9.0.0.1"]):
        blocklist.apply(f"run:{number}", Target("ipv4_net", value), later(5))
    blocklist.apply("run:9", Target("ipv6_net", "2001:db8::/64"), later(5))
    assert blocklist.networks(NOON) == [
        "9.0.0.1",
        "198.51.100.0/24",
        "203.0.113.9",
        "2001:db8::/64",
    ]


def test_planning_writes_nothing(blocklist: Blocklist) -> None:
    impact = blocklist.plan(Target("ipv4_net", "203.0.113.7"), 7200)
    assert impact.summary == "block 203.0.113.7 by the blocklist for 2 h"
    assert impact.reversible
    assert blocklist.networks(NOON) == []


def test_the_connector_offers_its_action(state: SqliteState, clock: Clock) -> None:
    (action,) = make_actions(ActionContext(state, clock))
    assert action.name == "blocklist"
    assert action.missing() == ""


writes = st.lists(
    st.tuples(
        st.sampled_from(["apply", "undo", "wait"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(1, 9),
    ),
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(writes)
def test_what_is_served_is_what_is_in_force(
    state: SqliteState, steps: list[tuple[str, int, int, int]]
) -> None:
    """Against a model: an entry holds from its first write to its expiry or its undo."""
    with state.begin() as tx:
        tx.execute(delete(blocklist_entries))
    clock = Clock()
    blocklist = Blocklist(state, clock)
    model: dict[tuple[int, int], datetime] = {}
    for verb, key, host, minutes in steps:
        target = Target("ipv4_net", f"203.0.113.{host}")
        if verb == "wait":
            clock.now += timedelta(minutes=minutes)
        elif verb == "apply":
            blocklist.apply(f"k{key}", target, clock.now + timedelta(minutes=minutes))
            model.setdefault((key, host), clock.now + timedelta(minutes=minutes))
        else:
            blocklist.undo(blocklist.handle_of(f"k{key}", target))
            if (key, host) in model:
                model[key, host] = min(model[key, host], clock.now)
    served = {f"203.0.113.{host}" for (_, host), end in model.items() if end > clock.now}
    assert set(blocklist.networks(clock.now)) == served
