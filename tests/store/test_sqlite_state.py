"""The state store on SQLite: what the conformance suite of all engines can't ask."""

import pytest
from sqlalchemy import text

from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import StoreError


@pytest.fixture
def state(tmp_path):
    store = SqliteState(tmp_path / "home" / "state.db")
    yield store
    store.close()


def test_foreign_keys_and_full_flushes_are_on(state):
    with state.begin() as tx:
        assert tx.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert tx.execute(text("PRAGMA synchronous")).scalar() == 2
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "state.db").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(StoreError, match=r"state\.db can't be opened"):
        SqliteState(tmp_path / "state.db")
