"""Copies an SQLite database as it is at one moment, while others read and write it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tocsin.store.ports import StoreError

_PAGES = 2048
_BUSY_S = 30


def snapshot(source: Path, to: Path, on_share: Callable[[float], None] = lambda _: None) -> None:
    """Write what ``source`` holds now to the new file ``to``; ``on_share`` hears from 0 to 1.

    The read transaction is held to the end: writers go on beside it (WAL) and nothing of theirs
    gets in, nor makes the copy begin anew. Raises StoreError when it can't be read.
    """

    def told(_status: int, remaining: int, total: int) -> None:
        on_share(1 - remaining / total if total else 1.0)

    try:
        with (
            closing(sqlite3.connect(source, timeout=_BUSY_S, isolation_level=None)) as reading,
            closing(sqlite3.connect(to)) as writing,
        ):
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            reading.backup(writing, pages=_PAGES, progress=told, sleep=0)
            writing.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise StoreError(
            f"the database {source} can't be copied ({error}); check the disk and its free space, "
            "and the database with: tocsin admin check"
        ) from error


def faults(database: Path, *, thorough: bool = True) -> list[str]:
    """What SQLite itself finds wrong in a database, empty when all is well; it may be in use."""
    how = "integrity_check" if thorough else "quick_check"
    try:
        uri = f"{database.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, timeout=_BUSY_S, uri=True)) as reading:
            rows = [str(row[0]) for row in reading.execute(f"PRAGMA {how}")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if rows == ["ok"] else rows
