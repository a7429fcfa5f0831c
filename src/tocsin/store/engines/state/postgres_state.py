"""The state store on PostgreSQL: one writer at a time, readers beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import IsolationLevel
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from tocsin.store.engines.state.engine_end import end
from tocsin.store.engines.state.json_text import json_text
from tocsin.store.engines.state.postgres_types import adapt
from tocsin.store.engines.state.writers_turn import WritersTurn
from tocsin.store.migrations import chain
from tocsin.store.ports import HomeInUse, StoreAway, StoreError

LOCK_TIMEOUT_S = 30
READERS = 16
_FULL = "53100"
_LOCKED = "55P03"
# The two locks of a schema, by name: who writes now, and which server serves it.
_WRITE = "SELECT pg_advisory_xact_lock(hashtext('tocsin.write'), hashtext(current_schema()))"
_SERVE = "SELECT pg_try_advisory_lock(hashtext('tocsin.serve'), hashtext(current_schema()))"
_SETTINGS = {
    "TimeZone": "UTC",  # a time of the year 9999 must not end up in 10000
    "synchronous_commit": "on",  # the spool is trimmed by what a commit says
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "5min",  # a writer that hangs must not stop the others
    "tcp_keepalives_idle": "10",  # one that is gone is noticed, and its locks with it
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def is_postgres(address: str) -> bool:
    return address.startswith(("postgresql://", "postgres://"))


class PostgresState:
    """``StateStore`` in one schema of a database, migrated when opened; shared between threads.

    Writers queue as on SQLite, over all processes and machines. With ``is_server`` this process is
    the only one that may say so: the lock is held by the very connection that writes, so whoever
    lost it can't write either.
    """

    def __init__(self, address: str, *, is_server: bool = False) -> None:
        self._url = _url(address)
        self.place = self._url.set(drivername="postgresql").render_as_string(hide_password=True)
        self._turn = WritersTurn()
        self._writer = self._engine(connections=1)
        self._reader = self._engine(connections=READERS)
        event.listen(self._writer, "begin", _queue_up)
        event.listen(self._reader, "connect", _only_read)
        if is_server:
            event.listen(self._writer, "connect", self._serve)
        try:
            with self._writer.begin() as connection:
                chain.upgrade(connection)
        except DBAPIError as error:
            self.close()
            raise StoreError(
                f"the state store {self.place} can't be opened ({_reason(error)}); check that the "
                "server runs, the address, the password and the rights of its user"
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
            except DBAPIError as error:
                self._explain(error)
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot; writing through it is refused by PostgreSQL."""
        try:
            with self._reader.begin() as connection:
                yield connection
        except DBAPIError as error:
            self._explain(error)
            raise

    def close(self) -> None:
        end(self._writer)
        end(self._reader)

    def _engine(self, connections: int) -> Engine:
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        given = self._url.query.get("options", "")
        engine = create_engine(
            self._url.update_query_dict({"options": f"{given} {options}".strip()}),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT_S,
            json_serializer=json_text,
            pool_pre_ping=True,  # the server may have been restarted meanwhile
        )
        event.listen(engine, "connect", _prepare)
        return engine

    def _serve(self, raw: psycopg.Connection[Any], _record: object) -> None:
        (is_ours,) = raw.execute(_SERVE).fetchone() or (False,)
        raw.commit()
        if not is_ours:
            raw.close()
            raise HomeInUse(
                f"the state store {self.place} is served by another process; stop that one, or "
                "give another database"
            )

    def _explain(self, error: DBAPIError) -> None:
        """Raise what is known better than the driver says it."""
        state = getattr(error.orig, "sqlstate", None)
        is_gone = isinstance(error, OperationalError) and state is None
        if error.connection_invalidated or is_gone:
            raise StoreAway(
                f"the state store {self.place} can't be reached ({_reason(error)}); check that the "
                "server runs and the network"
            ) from error
        if state == _FULL:
            raise StoreError(
                f"the disk under the state store {self.place} is full; nothing of this was "
                "written. Free space, then try again"
            ) from error
        if state == _LOCKED and isinstance(error, OperationalError):
            raise StoreError(
                f"another process has been writing to the state store {self.place} for "
                f"{LOCK_TIMEOUT_S} s; try again"
            ) from error


def _url(address: str) -> URL:
    try:
        if not is_postgres(address):
            raise ArgumentError(f"no address of PostgreSQL: {address.partition(':')[0]}")
        return make_url(address).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        raise StoreError(
            "the address of the state store can't be read; write it like "
            "postgresql://user@host:5432/database"
        ) from error


def _prepare(raw: psycopg.Connection[Any], _record: object) -> None:
    adapt(raw)


def _only_read(raw: psycopg.Connection[Any], _record: object) -> None:
    raw.isolation_level = IsolationLevel.REPEATABLE_READ
    raw.read_only = True


def _queue_up(connection: Connection) -> None:
    connection.exec_driver_sql(_WRITE)


def _reason(error: DatabaseError | DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
