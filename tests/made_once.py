"""What every house that a test opens begins with is made once a worker, not once a house.

Nine tenths of the time it takes to open a house go into reading the pack's four hundred files of
rules, into the mappings, and into the migrations of an empty state store. None of these changes
while tests run, and what is made of them is never changed; the tests of reading and of migrating
ask what is asked here the first time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, inspect

from tocsin.app.home import shipped
from tocsin.app.home.shipped import CONTENT
from tocsin.app.senders import mapping_keeper
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.reading import rule_reading
from tocsin.detect.reading.reading_on_demand import Pipelines
from tocsin.detect.rules.rule_draft import Read
from tocsin.normalize.mapping import Mapping, load_mapping
from tocsin.store.engines.state import sqlite_state
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.migrations import chain

_RULES = f"{CONTENT / 'rules'}/"


@contextmanager
def made_once() -> Iterator[None]:
    """As long as this lasts, files that ship are read, and an empty store is migrated, once."""
    read_rules = rule_reading.read_rules
    shipped_rules = cache(read_rules)
    statements = _statements()

    def read(text: str, path: str, pipelines: Pipelines = ()) -> list[Read]:
        if path.startswith(_RULES) and not pipelines:
            return list(shipped_rules(text, path))
        return read_rules(text, path, pipelines)

    @cache
    def mappings() -> tuple[Mapping, ...]:
        return tuple(load_mapping(path) for path in mapping_paths())

    def upgrade(connection: Connection) -> bool:
        if inspect(connection).get_table_names():
            return chain.upgrade(connection)
        for statement in statements:
            connection.exec_driver_sql(statement)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_reading, "read_rules", read)
        patch.setattr(sqlite_state, "chain", SimpleNamespace(upgrade=upgrade))
        for module in (mapping_keeper, shipped):
            patch.setattr(module, "shipped_mappings", lambda _: list(mappings()))
        yield


def _statements() -> list[str]:
    """What an empty store that was migrated is made of."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        SqliteState(path).close()
        with closing(sqlite3.connect(path)) as connection:
            return list(connection.iterdump())[1:-1]  # without BEGIN and COMMIT
