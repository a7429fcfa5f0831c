"""Every engine of the state store keeps what was written, alike."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from tests.store.test_migrations import import_every_module_that_declares_tables
from tocsin.store.engines.state.postgres_state import PostgresState
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.migrations import chain
from tocsin.store.ports import StateStore, StoreError
from tocsin.store.state import metadata
from tocsin.store.tables import event_fields, segments

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Open = Callable[[], StateStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store, as often as is asked."""
    opened: list[StateStore] = []
    if request.param == "sqlite":
        make: Open = lambda: SqliteState(tmp_path / "state.db")  # noqa: E731
    else:
        address = request.getfixturevalue("postgres").new_state()
        make = lambda: PostgresState(address)  # noqa: E731

    def open_one() -> StateStore:
        opened.append(make())
        return opened[-1]

    yield open_one
    for state in opened:
        state.close()


@pytest.fixture
def state(open_state: Open) -> StateStore:
    return open_state()


def row(name: str, time: datetime = NOON) -> dict[str, object]:
    return {
        "id": name,
        "path": f"{name}.parquet",
        "rows": 1,
        "size_bytes": 10,
        "first_time": time,
        "last_time": time,
        "sources": ["a"],
        "lanes": ["b"],
        "checksum": "",
        "first_event_id": "",
        "last_event_id": "",
    }


def count(store: StateStore, table: Table = segments) -> int:
    with store.read() as tx:
        return tx.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_write_is_there_after_the_block_and_after_a_restart(open_state):
    first = open_state()
    with first.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    first.close()
    assert count(open_state()) == 1


def test_an_exception_rolls_everything_back(state):
    def write_and_fail() -> None:
        with state.begin() as tx:
            tx.execute(insert(segments).values(row("s1")))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_and_fail()
    assert count(state) == 0


def test_reading_sees_one_moment_while_others_write(state):
    with state.read() as before:
        assert before.execute(select(func.count()).select_from(segments)).scalar_one() == 0
        with state.begin() as tx:
            tx.execute(insert(segments).values(row("s1")))
        assert before.execute(select(func.count()).select_from(segments)).scalar_one() == 0
    assert count(state) == 1


def test_writing_through_a_read_is_refused(state):
    with state.read() as tx, pytest.raises(DBAPIError, match=r"read-?only"):
        tx.execute(insert(segments).values(row("s1")))
    assert count(state) == 0


def test_a_second_write_transaction_in_one_thread_is_an_error_not_a_hang(state):
    with state.begin(), pytest.raises(StoreError, match="already holds"), state.begin():
        pass
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    assert count(state) == 1


def test_what_is_read_before_writing_is_not_changed_by_others_meanwhile(open_state):
    """Four threads of two stores each count up what they read: no increment is lost."""
    stores = [open_state(), open_state()]
    with stores[0].begin() as tx:
        tx.execute(insert(segments).values({**row("s"), "rows": 0}))

    def count_up(state: StateStore) -> None:
        for _ in range(10):
            with state.begin() as tx:
                rows = tx.execute(select(segments.c.rows)).scalar_one()
                tx.execute(segments.update().values(rows=rows + 1))

    workers = [threading.Thread(target=count_up, args=(stores[n % 2],)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with stores[1].read() as tx:
        assert tx.execute(select(segments.c.rows)).scalar_one() == 40


def test_a_refused_row_leaves_the_store_usable(state):
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    with pytest.raises(IntegrityError), state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s2")))
    assert count(state) == 2


def test_times_come_back_aware_and_naive_ones_are_refused(state):
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1", there)))
    with state.read() as tx:
        assert tx.execute(select(segments.c.first_time)).scalar_one() == NOON
    with pytest.raises(StatementError, match="without a zone"), state.begin() as tx:
        tx.execute(insert(segments).values(row("s2", NOON.replace(tzinfo=None))))


@pytest.mark.parametrize("year", [1, 1601, 1969, 9999])
def test_far_away_times_come_back(state, year):
    far = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1", far)))
        assert tx.execute(select(segments.c.first_time)).scalar_one() == far


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.sets(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=8))
def test_any_text_comes_back_and_is_found(state, names):
    odd = {*names, "\x00", "a\x00b", "\ufdd0", "\ufdd00", "\ufdd01", "x" * 2_000}
    with state.begin() as tx:
        tx.execute(delete(event_fields))
        keys = [{"lane": name, "space": "native", "path": name} for name in sorted(odd)]
        tx.execute(insert(event_fields), keys)
    with state.read() as tx:
        assert set(tx.execute(select(event_fields.c.lane)).scalars()) == odd
        for name in odd:
            wanted = select(event_fields.c.path).where(event_fields.c.lane == name)
            assert tx.execute(wanted).scalar_one() == name


def test_texts_sort_by_code_point(state):
    names = ["a", "B", "b", "Z", "_", "-a", "ä", "é", "\U0001f600"]
    with state.begin() as tx:
        tx.execute(insert(segments), [row(name) for name in names])
        found = list(tx.execute(select(segments.c.id).order_by(segments.c.id)).scalars())
        above = set(tx.execute(select(segments.c.id).where(segments.c.id > "Z")).scalars())
    assert found == sorted(names)
    assert above == {name for name in names if name > "Z"}


def test_json_comes_back_as_it_was(state):
    value = ["\x00", "é", 2**62, 1.5, True, None, {"b": [], "a": {"\ud800": ""}}]
    with state.begin() as tx:
        tx.execute(insert(segments).values({**row("s1"), "sources": value}))
    with state.read() as tx:
        found = tx.execute(select(segments.c.sources)).scalar_one()
    assert found == value
    assert list(found[-1]) == ["b", "a"]


def test_migrated_tables_equal_the_declared_ones(state):
    import_every_module_that_declares_tables()
    with state.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_opening_again_runs_nothing(open_state):
    open_state().close()
    with open_state().begin() as tx:
        assert chain.upgrade(tx) is False
        assert chain.current_revision(tx) == chain.newest_revision()


def test_tables_of_a_newer_version_are_refused_and_left_alone(open_state):
    with open_state().begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"9999.*newer version"):
        open_state()
