"""No connection outlives its engine, whoever still had it when the engine ended."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool

from tocsin.store.engines.state.engine_end import end


def test_a_connection_that_comes_back_after_the_end_is_closed(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=QueuePool)
    at_rest, in_use = engine.raw_connection(), engine.raw_connection()
    raw = [one.driver_connection for one in (at_rest, in_use)]
    at_rest.close()
    end(engine)
    in_use.cursor().execute("SELECT 1")
    in_use.close()
    for one in raw:
        assert one is not None
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            one.execute("SELECT 1")
