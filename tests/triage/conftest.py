"""A migrated state store for the tests of triage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.store.engines.sqlite_state import SqliteState
from tocsin.store.state import metadata


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    with store.begin() as tx:
        metadata.create_all(tx)
    yield store
    store.close()
