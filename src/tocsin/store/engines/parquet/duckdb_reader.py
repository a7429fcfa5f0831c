"""DuckDB as a reader of one folder of Parquet files, and of nothing else."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import duckdb
from sqlglot import exp

from tocsin.store.engines.parquet.own_folder import own_folder
from tocsin.store.engines.parquet.query_progress import SETTINGS
from tocsin.store.ports import QueryStopped, StoreError
from tocsin.store.stop_signal import StopSignal

Rows = list[tuple[Any, ...]]
_SPILL_TIMES_MEMORY = 4


class DamagedSegment(StoreError):
    """A file can't be read; ``path`` says which."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"segment {path} can't be read: {reason}")
        self.path = path


class DuckDbReader:
    """Runs queries on cursors of one in-memory database that may only read ``folder``."""

    def __init__(self, folder: Path, *, threads: int, memory_mb: int, timeout_s: float) -> None:
        self._folder = folder
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "preserve_insertion_order": False,
            "max_temp_directory_size": f"{_SPILL_TIMES_MEMORY * memory_mb}MB",
        }
        self._spill = own_folder(folder / ".spill")
        self._timeout_s = timeout_s
        self._opening = threading.Lock()
        self._database = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        database = duckdb.connect(":memory:", config=self._settings)
        folder = str(self._folder).replace("'", "''")
        spill = str(self._spill).replace("'", "''")
        database.execute(f"SET temp_directory = '{spill}'")
        database.execute(f"SET allowed_directories = ['{folder}/']")
        database.execute("SET parquet_metadata_cache = true")
        database.execute("SET enable_external_access = false")
        changeable = ", ".join(f"'{name}'" for name in SETTINGS)
        database.execute(f"SET allowed_configs = [{changeable}]")
        database.execute("SET lock_configuration = true")
        return database

    def rows(self, query: exp.Expr, stop: StopSignal | None = None) -> Rows:
        """``query`` is spent: writing it as SQL may change the tree."""
        with self.cursor(stop) as cursor:
            return cursor.execute(query.sql("duckdb", copy=False)).fetchall()

    @contextmanager
    def cursor(self, stop: StopSignal | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own; what runs on it ends with ``QueryStopped`` when told to."""
        stopping = stop or StopSignal(
            self._timeout_s,
            f"the query took longer than {self._timeout_s:.0f} s and was stopped; "
            "narrow the time range or the filter",
        )
        stopping.check()
        with self._opening:
            cursor = self._database.cursor()
        try:
            with stopping.interrupting(cursor.interrupt):
                yield cursor
        except duckdb.InterruptException:
            raise QueryStopped(stopping.reason or "the query was stopped; ask again") from None
        except (duckdb.FatalException, duckdb.InternalException):
            self._reopen()  # DuckDB answers no further query after these
            raise
        finally:
            cursor.close()

    def _reopen(self) -> None:
        with self._opening:
            self._database.close()
            self._database = self._open()

    def close(self) -> None:
        self._database.close()
        rmtree(self._spill, ignore_errors=True)


def parquet(paths: Sequence[str]) -> exp.Table:
    """The table of the files' rows (each with ``filename`` and ``file_row_number``)."""
    files = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
    return exp.Table(this=exp.Anonymous(this="read_parquet", expressions=[files]))
