"""Sparing long-lived objects leaves no trace at the end of the process."""

import subprocess
import sys

PROGRAM = """
import duckdb
from tocsin.app.collector import spare_long_lived
from tocsin.store.engines.parquet import parquet_events
connection = duckdb.connect()
connection.execute("select 1").fetchall()
spare_long_lived()
connection.close()
"""


def test_nothing_is_said_to_leak_at_the_end() -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
