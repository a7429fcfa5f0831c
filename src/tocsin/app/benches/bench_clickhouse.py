"""The events of a made store in ClickHouse's engine, in this process, to be asked the same."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from tocsin.app.home.history import lanes_by_id
from tocsin.app.home.stores import Stores, open_events
from tocsin.model.event import EventBatch
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import Damage, EventStore, ReplayQuery, StateStore, StoreError

MISSING = "not asked: ClickHouse's engine (chdb, dependency group engines) is not installed"
_WRITE_ROWS = 100_000
_READ_ROWS = 20_000

Progress = Callable[[int], None]


def is_clickhouse_here() -> bool:
    return all(find_spec(name) is not None for name in ("chdb", "clickhouse_connect"))


@contextmanager
def clickhouse_beside(made: Path, on_progress: Progress) -> Iterator[EventStore]:
    """ClickHouse with all events of the data folder ``made``; filled unless it was before.

    ``on_progress`` is told how many events were copied so far. A process has one such engine.
    """
    home = made.with_name(f"{made.name}-clickhouse")
    if not (home / "complete").is_file():
        shutil.rmtree(home, ignore_errors=True)
    with closing(SqliteState(home / "state.sqlite")) as state:
        place = Stores(events=f"chdb://{(home / 'clickhouse').resolve()}")
        store = open_events(home, state, place)
        try:
            if not (home / "complete").is_file():
                _fill(store, state, made, on_progress)
                (home / "complete").touch()
            yield store
        finally:
            store.close()


def _fill(store: EventStore, state: StateStore, made: Path, on_progress: Progress) -> None:
    done = 0
    with closing(SqliteState(made / "state.sqlite")) as known:
        source = open_events(made, known)
        try:
            for batches in _in_order(source):
                segment = store.write(batches)
                if segment is not None:
                    with state.begin() as tx:
                        store.publish(tx, segment)
                done += sum(map(len, batches))
                on_progress(done)
        finally:
            source.close()


def _in_order(source: EventStore) -> Iterator[list[EventBatch]]:
    """All events, in parts as large as a write may well be."""
    damages: list[Damage] = []
    waiting: list[EventBatch] = []
    wanted = ReplayQuery(batch_rows=_READ_ROWS)
    for batch in source.replay(wanted, lanes_by_id(()), damages.append):
        waiting.append(batch)
        if sum(map(len, waiting)) >= _WRITE_ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
    if damages:
        raise StoreError(f"{damages[0].reason}; remove the folder to have the store made anew")
