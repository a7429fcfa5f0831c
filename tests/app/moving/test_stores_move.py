"""State and events move to the grown engines and back, compared; a cut move goes on."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import clickhouse_connect
import pytest
from sqlalchemy import select, update

from tests.app.flow.test_flow import ENCODED
from tests.app.test_grown_stores import take_in
from tests.postgres_server import PostgresServer
from tests.respond.rig import utc_now
from tocsin.app.home.stores import stores_of
from tocsin.app.moving.stores_move import move_events, move_state
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.event import EventBatch
from tocsin.respond.tables import approvals
from tocsin.store.engines.clickhouse import clickhouse_events
from tocsin.store.engines.state import manifest
from tocsin.store.ports import Segment, StoreError
from tocsin.store.query import EventQuery
from tocsin.store.tables import segment_facts

STRANGE = {**ENCODED, "Computer": "WS-08", "n": 2**64 - 1, "deep": {"l": [{"a": 1}, {"b": None}]}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", syslog__enabled=False)


@pytest.fixture
def engine() -> Iterator[object]:
    """ClickHouse in this process, which ends with its last user."""
    pytest.importorskip("chdb", reason="ClickHouse's engine is not installed (group engines)")
    client = clickhouse_connect.get_client(dsn="chdb://memory")
    yield client
    client.close()


def opened(settings: Settings, look: Callable[[Tocsin], object]) -> object:
    house = open_tocsin(settings)
    try:
        return look(house)
    finally:
        house.close()


def fill(house: Tocsin) -> None:
    take_in(house, ENCODED, STRANGE)
    take_in(house, {"nobody": "knows\x00 this", "f": 0.1}, source="other")


def all_events(house: Tocsin) -> Sequence[object]:
    return house.events.search(EventQuery(size=1000, oldest_first=True)).events


def told(house: Tocsin) -> object:
    """What a person would miss: alerts, ledgers, risk, cases and the chain of audit."""
    with house.state.read() as tx:
        assert house.audit.verify(tx).ok
        return (
            [one.id for one in house.alerts.page(tx, size=100).items],
            sorted((one.name, one.received, one.stored) for one in house.sources.sources(tx)),
            [one.score.value for one in house.risk.page(tx).items],
            house.spool.committed(),
        )


def segments_with_facts(house: Tocsin) -> tuple[set[str], set[str]]:
    """Ids of the segments that count here, and of those of which it is known what they hold."""
    with house.state.read() as tx:
        counting = {one.id for one in manifest.between(tx, None, None)}
        return counting, {row.segment_id for row in tx.execute(segment_facts.select())}


def open_case(house: Tocsin) -> None:
    with house.state.begin() as tx:
        case = house.cases.open(tx, title="beacon", alerts=[], by="noor", now=utc_now())
        house.cases.note(tx, case.id, author="noor", text="seen", now=utc_now())


def test_state_moves_to_postgresql_and_back(settings: Settings, postgres: PostgresServer) -> None:
    opened(settings, fill)
    opened(settings, open_case)
    before = opened(settings, told)
    seen: list[str] = []
    moved = move_state(settings.home, postgres.new_state(), lambda name, _: seen.append(name))
    assert {one.name for one in moved} == set(seen)
    assert sum(one.rows for one in moved) > 10
    assert not (settings.home / "state.sqlite").exists()
    assert (settings.home / "state.sqlite.moved").exists(), "nothing is thrown away"
    assert opened(settings, told) == before
    opened(settings, open_case)  # numbers go on where they were
    opened(settings, fill)
    after = opened(settings, told)
    assert after != before
    back = move_state(settings.home, "", lambda *_: None)
    assert stores_of(settings.home).state == ""
    assert {one.name for one in back} == {one.name for one in moved}
    assert opened(settings, told) == after
    opened(settings, open_case)


def test_state_is_not_moved_over_another_nor_away_from_what_runs(
    settings: Settings, postgres: PostgresServer
) -> None:
    opened(settings, fill)
    address = postgres.new_state()
    elsewhere = load_settings(home=settings.home.parent / "b", store__state=address)
    opened(elsewhere, fill)
    with pytest.raises(StoreError, match=r"holds .* already; give an empty database"):
        move_state(settings.home, address, lambda *_: None)

    def ask(house: Tocsin) -> None:
        row = dict.fromkeys(
            ("run_id", "walk_id", "case_id", "plan_digest", "question", "asked_of"), ""
        )
        row |= dict.fromkeys(("requested_by", "decided_by", "reason"), "")
        times = {"created_at": utc_now(), "expires_at": utc_now()}
        with house.state.begin() as tx:
            values = {"id": "a1", "plan": {}, "status": "pending", **row, **times}
            tx.execute(approvals.insert().values(values))

    opened(settings, ask)
    with pytest.raises(StoreError, match="1 approvals are under way"):
        move_state(settings.home, postgres.new_state(), lambda *_: None)
    assert stores_of(settings.home).state == ""

    def denied(house: Tocsin) -> object:
        with house.state.begin() as tx:
            tx.execute(update(approvals).values(status="denied"))
            return tx.execute(select(approvals.c.status)).scalar_one()

    assert opened(settings, denied) == "denied"


def test_events_move_to_clickhouse_and_back(settings: Settings, engine: object) -> None:
    opened(settings, fill)
    before = opened(settings, all_events)
    steps: list[tuple[int, int]] = []
    moved = move_events(
        settings.home, "chdb://memory#there", lambda done, total: steps.append((done, total))
    )
    assert moved.events == steps[-1][0] == steps[-1][1]
    assert not (settings.home / ".moving").exists()
    assert opened(settings, all_events) == before
    opened(settings, fill)
    after = opened(settings, all_events)
    assert len(after) > len(before)
    _, known_of_clickhouse = opened(settings, segments_with_facts)
    assert known_of_clickhouse == set()
    assert move_events(settings.home, "", lambda *_: None).events == len(after)
    assert stores_of(settings.home).events == ""
    assert opened(settings, all_events) == after
    counting, known = opened(settings, segments_with_facts)
    assert counting == known != set()


def test_a_move_that_was_cut_short_goes_on(
    settings: Settings, engine: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(settings, fill)
    before = opened(settings, all_events)
    write = clickhouse_events.ClickHouseEvents.write
    written: list[Segment | None] = []

    def cut(store: clickhouse_events.ClickHouseEvents, batches: Sequence[EventBatch]) -> object:
        if written:
            raise StoreError("the network went away")
        written.append(write(store, batches))
        return written[0]

    with monkeypatch.context() as patch:
        patch.setattr(clickhouse_events.ClickHouseEvents, "write", cut)
        with pytest.raises(StoreError, match="network"):
            move_events(settings.home, "chdb://memory#cut", lambda *_: None)
    with pytest.raises(ConfigError, match="are being moved"):
        open_tocsin(settings)
    counted: list[Segment | None] = []

    def count(store: clickhouse_events.ClickHouseEvents, batches: Sequence[EventBatch]) -> object:
        counted.append(write(store, batches))
        return counted[-1]

    with monkeypatch.context() as patch:
        patch.setattr(clickhouse_events.ClickHouseEvents, "write", count)
        moved = move_events(settings.home, "chdb://memory#cut", lambda *_: None)
    assert len(counted) == moved.segments - 1, "what had arrived is not sent again"
    assert opened(settings, all_events) == before


def test_a_store_that_was_changed_on_the_way_is_found_out(
    settings: Settings, engine: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(settings, fill)
    write = clickhouse_events.ClickHouseEvents.write

    def twice(store: clickhouse_events.ClickHouseEvents, batches: Sequence[EventBatch]) -> object:
        return write(store, [*batches, batches[0]])

    monkeypatch.setattr(clickhouse_events.ClickHouseEvents, "write", twice)
    with pytest.raises(StoreError, match="arrived, or not as they were; nothing was changed"):
        move_events(settings.home, "chdb://memory#twice", lambda *_: None)
    assert stores_of(settings.home).events == ""
