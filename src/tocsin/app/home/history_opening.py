"""Opens the store of a data folder for reading, beside a running server or not."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tocsin.app.home.stores import has_state, open_events, open_state
from tocsin.store.ports import EventStore, StateStore, StoreError


@contextmanager
def open_history(home: Path, memory_mb: int = 1024) -> Iterator[tuple[EventStore, StateStore]]:
    """The store of a data folder, only to be read; a server may be running on it."""
    if not has_state(home):
        raise StoreError(f"{home} is no data folder: give one with --home, or take events in first")
    with ExitStack() as stack:
        state = open_state(home)
        stack.callback(state.close)
        events = open_events(home, state, memory_mb=memory_mb)
        stack.callback(events.close)
        yield events, state
