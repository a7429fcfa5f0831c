"""Storage and retention alone, for commands that manage them while a server may be running."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tocsin.app.access.audit import AuditLog
from tocsin.app.home.stores import has_state, open_events, open_state
from tocsin.app.home.unfinished_restore import refuse_unfinished
from tocsin.app.settings.config import Settings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.app.storage.retention import Retention
from tocsin.store.ports import EventStore


@dataclass(frozen=True, slots=True)
class StorageDesk:
    """What commands look at; nothing is deleted here, that is the server's work."""

    folder: Path
    events: EventStore
    retention: Retention


@contextmanager
def open_storage(settings: Settings) -> Iterator[StorageDesk]:
    """Raises ConfigError where there is no data folder."""
    folder = settings.home
    refuse_unfinished(folder)
    if not has_state(folder):
        raise ConfigError(f"{folder}: no data folder here; give one with --home")
    state = open_state(folder)
    try:
        events = open_events(folder, state)
        try:
            retention = Retention(settings.retention, state, events, AuditLog())
            yield StorageDesk(folder, events, retention)
        finally:
            events.close()
    finally:
        state.close()
