"""The state store on SQLite: one writer at a time, readers beside it (WAL)."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from tocsin.store.engines.state.json_text import json_text
from tocsin.store.engines.state.writers_turn import WritersTurn
from tocsin.store.migrations import chain
from tocsin.store.ports import StoreError

BUSY_TIMEOUT_S = 30
READERS = 16


class SqliteState:
    """``StateStore`` in one SQLite file, migrated when opened; safe to share between threads.

    Commits are flushed to the disk (``synchronous=FULL``): the spool is trimmed by what they say.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._turn = WritersTurn()
        self._writer = _engine(path, "BEGIN IMMEDIATE", connections=1, query_only=False)
        self._reader = _engine(path, "BEGIN", connections=READERS, query_only=True)
        try:
            self._migrate()
        except DatabaseError as error:
            self.close()
            raise StoreError(
                f"the state store {path} can't be opened ({error.orig}); "
                "check the disk and the file's rights, or restore a backup"
            ) from error
        except BaseException:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction; a thread may hold one at a time (a second raises StoreError)."""
        with self._turn.taken():
            try:
                with self._writer.begin() as connection:
                    yield connection
            except OperationalError as error:
                if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
                    raise
                raise StoreError(
                    f"the disk under the state store {self._path} is full; nothing of this was "
                    "written. Free space, then try again"
                ) from error

    def read(self) -> AbstractContextManager[Connection]:
        """A snapshot; writing through it is refused by SQLite."""
        return self._reader.begin()

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()

    def _migrate(self) -> None:
        with self.begin() as connection:
            chain.upgrade(connection)


def _engine(path: Path, begin: str, *, connections: int, query_only: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_S,
        json_serializer=json_text,
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # the BEGIN below is the only one
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        if query_only:
            raw.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def open_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
