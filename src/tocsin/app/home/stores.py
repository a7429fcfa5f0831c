"""Which engines keep a data folder's state and events, and how each is opened."""

import json
import os
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tocsin.app.home.cold_place import cold_options
from tocsin.app.settings.config_errors import ConfigError
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.runs.dbos_runs import DbosRuns
from tocsin.store.engines.state.postgres_state import PostgresState, is_postgres
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import EventStore, Segment, StateStore

PLACE = "stores.json"
MOVING = ".moving"
"""The folder a move of events keeps its account in until it is done."""
_CLICKHOUSE = ("clickhouse://", "clickhouses://", "chdb://")


@dataclass(frozen=True, slots=True)
class Stores:
    """Addresses of a data folder's state and events; empty: in the folder itself."""

    state: str = ""
    events: str = ""


def stores_of(home: Path) -> Stores:
    """Where the folder says its state and events are kept."""
    try:
        known = json.loads((home / PLACE).read_text(encoding="utf-8"))
        return Stores(str(known["state"]), str(known["events"]))
    except FileNotFoundError:
        return Stores()
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{home / PLACE} can't be read ({error}): it says where state and events are kept; "
            "restore it from a backup, or write it anew"
        ) from error


def keep_stores(home: Path, stores: Stores) -> None:
    """Have the folder say where its state and events are kept (passwords too: mode 0600)."""
    draft = home / f"{PLACE}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(stores), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / PLACE)


def settle_stores(home: Path, wanted: Stores) -> Stores:
    """The stores of a folder when ``wanted`` is configured; a new folder takes them on.

    Raises ConfigError when the folder's state or events are elsewhere: an empty store in place of
    the one that holds everything would look like a loss.
    """
    check_addresses(wanted)
    if (home / MOVING).exists():
        raise ConfigError(
            f"the events of {home} are being moved and not all are there yet; run tocsin admin "
            "move again, with the same address, to the end"
        )
    known = stores_of(home)
    is_new = not (home / PLACE).exists() and not (home / "state.sqlite").exists()
    if is_new and wanted != Stores():
        keep_stores(home, wanted)
        return wanted
    for name in ("state", "events"):
        asked, kept = getattr(wanted, name), getattr(known, name)
        if asked and without_password(asked) != without_password(kept):
            where = without_password(kept) or f"the data folder {home}"
            raise ConfigError(
                f"store.{name}: the {name} of this data folder are kept in {where}; move them "
                f"with: tocsin admin move --{name} {without_password(asked)}"
            )
    settled = Stores(wanted.state or known.state, wanted.events or known.events)
    if settled != known:  # another password
        keep_stores(home, settled)
    return settled


def check_addresses(stores: Stores) -> None:
    """Raises ConfigError for an address no engine has."""
    if stores.state and not is_postgres(stores.state):
        raise ConfigError(
            "store.state: write an address like postgresql://user@host:5432/database, or leave "
            "it empty for the data folder"
        )
    if stores.events and not stores.events.startswith(_CLICKHOUSE):
        raise ConfigError(
            "store.events: write an address like clickhouse://user@host:8123/database "
            "(clickhouses:// for TLS), or leave it empty for the data folder"
        )


def has_state(home: Path) -> bool:
    """True when there is a state store to open."""
    return (home / "state.sqlite").is_file() or bool(stores_of(home).state)


def open_state(home: Path, stores: Stores | None = None, *, is_server: bool = False) -> StateStore:
    """The state of a data folder; a server is the only one on its database."""
    address = (stores or stores_of(home)).state
    if address:
        return PostgresState(address, is_server=is_server)
    return SqliteState(home / "state.sqlite")


def open_runs(home: Path, stores: Stores | None = None) -> DbosRuns:
    return DbosRuns(home / "runs", address=(stores or stores_of(home)).state)


def open_events(
    home: Path, state: StateStore, stores: Stores | None = None, **options: Any
) -> EventStore:
    """The events of a data folder; ``options`` are those of segments in the folder."""
    address = (stores or stores_of(home)).events
    if not address:
        return ParquetEvents(home / "events", state, **cold_options(home), **options)
    opened: EventStore = _open_clickhouse(address, state)
    return opened


def rows_missing(home: Path, state: StateStore) -> list[tuple[Segment, int]]:
    """Of events that are kept elsewhere: segments that lack some, and how many."""
    address = stores_of(home).events
    if not address:
        return []
    with closing(_open_clickhouse(address, state)) as opened:
        found: list[tuple[Segment, int]] = opened.rows_missing()
    return found


def _open_clickhouse(address: str, state: StateStore) -> Any:
    try:
        engine = import_module("tocsin.store.engines.clickhouse.clickhouse_events")
    except ModuleNotFoundError as error:
        raise ConfigError(
            "store.events: ClickHouse needs its client; install tocsin[clickhouse]"
        ) from error
    server, database = _server_and_database(address)
    return engine.ClickHouseEvents(server, state, database=database)


def _server_and_database(address: str) -> tuple[str, str]:
    """The address without the database, as its client takes it, and the database."""
    parts = urlsplit(address)
    if parts.scheme == "chdb":
        folder, _, database = address.partition("#")
        return folder, database or "tocsin"
    server = urlunsplit((parts.scheme, parts.netloc, "", parts.query, ""))
    return server, parts.path.strip("/") or "tocsin"


def without_password(address: str) -> str:
    parts = urlsplit(address)
    if parts.password is None:
        return address
    user = f"{parts.username}@" if parts.username else ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{user}{host}", parts.path, parts.query, parts.fragment))
