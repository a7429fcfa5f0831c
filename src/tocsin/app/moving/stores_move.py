"""Moves a data folder's state or events to another engine; the folder says so when it is done."""

from dataclasses import replace
from pathlib import Path

import tocsin.app.searches.saved_searches
import tocsin.app.wiring  # noqa: F401 - with the one before, declares every table
from tocsin.app.home.stores import MOVING, keep_stores, open_state, stores_of
from tocsin.app.moving.events_move import MovedEvents, copy_events, end_move
from tocsin.app.moving.events_move import Told as ToldEvents
from tocsin.app.moving.state_move import MovedTable, Told, copy_state
from tocsin.store.ports import StoreError


def move_state(home: Path, address: str, on_progress: Told) -> list[MovedTable]:
    """State to ``address`` (empty: the data folder). Only while no server runs on the folder."""
    if (home / MOVING).exists():
        raise StoreError("the events are being moved: end that move first")
    known = stores_of(home)
    wanted = replace(known, state=address)
    if not address:
        _aside(home / "state.sqlite")
    source = open_state(home, known, is_server=True)
    try:
        target = open_state(home, wanted, is_server=True)
        try:
            moved = copy_state(source, target, on_progress)
        finally:
            target.close()
    finally:
        source.close()
    keep_stores(home, wanted)
    if address:
        _aside(home / "state.sqlite")
    return moved


def move_events(home: Path, address: str, on_progress: ToldEvents) -> MovedEvents:
    """Events to ``address`` (empty: the data folder). Only while no server runs on the folder."""
    known = stores_of(home)
    wanted = replace(known, events=address)
    state = open_state(home, known, is_server=True)
    try:
        moved = copy_events(home, state, wanted, on_progress)
    finally:
        state.close()
    keep_stores(home, wanted)
    end_move(home)
    return moved


def _aside(database: Path) -> None:
    """Keep a database that no longer counts under another name."""
    for suffix in ("", "-wal", "-shm"):
        path = database.with_name(database.name + suffix)
        if path.exists():
            path.replace(database.with_name(f"{database.name}.moved{suffix}"))
