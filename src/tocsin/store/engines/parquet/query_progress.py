"""How far DuckDB is with a query, asked from beside it while it runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import duckdb
from duckdb import DuckDBPyConnection

EVERY_S = 0.5
SETTINGS = ("enable_progress_bar", "enable_progress_bar_print", "progress_bar_time")
"""What a connection must be allowed to set for itself to be told."""


@contextmanager
def progress_told(cursor: DuckDBPyConnection, tell: Callable[[float], None]) -> Iterator[None]:
    """While the block runs, ``tell`` hears from another thread which share of it is done (0 to 1).

    Not of what is over within half a second, nor of a query whose length nobody knows.
    """
    cursor.execute("SET enable_progress_bar = true")
    cursor.execute("SET enable_progress_bar_print = false")
    cursor.execute("SET progress_bar_time = 0")
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_S):
            try:
                percent = cursor.query_progress()
            except duckdb.Error:
                return
            if percent > 0:
                tell(min(1.0, percent / 100))

    watching = threading.Thread(target=watch, name="query-progress", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
