"""Opens the store of a data folder for reading, beside a running server or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.store.engines.parquet_events import ParquetEvents
from tocsin.store.engines.sqlite_state import SqliteState
from tocsin.store.ports import EventStore, StateStore, StoreError


@contextmanager
def open_history(home: Path, memory_mb: int = 1024) -> Iterator[tuple[EventStore, StateStore]]:
    """The store of a data folder, only to be read; a server may be running on it."""
    file = home / "state.sqlite"
    if not file.is_file():
        raise StoreError(f"{home} is no data folder: give one with --home, or take events in first")
    state = SqliteState(file)
    events = ParquetEvents(home / "events", state, memory_mb=memory_mb)
    try:
        yield events, state
    finally:
        events.close()
        state.close()
