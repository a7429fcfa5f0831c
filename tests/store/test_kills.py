"""Killed while it seals or migrates, the store counts afterwards what it counted before."""

import os
import subprocess
import sys
from pathlib import Path

FORKING = """
import hashlib, os, signal, sqlite3, sys
from contextlib import closing
from pathlib import Path
from sqlalchemy import Engine, event
from tests.store.conftest import _make_batch
from tocsin.store.engines.parquet import segment_file
from tocsin.store.engines.state import manifest
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.migrations import chain
home = Path(sys.argv[1])
def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
def in_child(work):
    # every store is opened in a child: this process has no threads that a fork would lose
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]
def rows():
    with closing(sqlite3.connect(home / "state.db")) as state:
        return state.execute("SELECT path, rows, checksum FROM segments ORDER BY id").fetchall()
def hold(expected):
    assert rows() == expected, (rows(), expected)
    for path, _, checksum in expected:
        content = (home / "events" / path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == checksum
"""
SEALING = """
def store(position, sweeping=False):
    state = SqliteState(home / "state.db")
    events = ParquetEvents(home / "events", state)
    if sweeping:
        events.sweep_orphans()
        there = list((home / "events").glob("[0-9a-f]*/*"))
        assert len(there) == len(rows()) == events.count() / 5, (there, rows(), events.count())
    segment = events.write([_make_batch([{"native": {f"n{position}": position}}] * 5, position=position)])
    with state.begin() as tx:
        events.publish(tx, segment)
assert in_child(lambda: store(0)) == 0
before = rows()
points = [(segment_file, "mark_variants"), (segment_file, "flush_folder"),
          (segment_file, "checksum"), (manifest, "add"), (manifest, "add_fields")]
for position, (module, name) in enumerate(points, 1):
    def killed():
        setattr(module, name, die)
        store(position)
    assert in_child(killed) == signal.SIGKILL, name
    hold(before)
    assert in_child(lambda: store(position, sweeping=True)) == 0, name
    before = rows()
    assert len(before) == position + 1
    hold(before)
"""
MIGRATING = """
from alembic import command
from tocsin.store.migrations import run
def to_revision(revision):
    config = run.settings()
    from sqlalchemy import create_engine
    engine = create_engine(f"sqlite:///{home / 'state.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
def fill():
    to_revision("0001")
    with closing(sqlite3.connect(home / "state.db")) as state:
        state.executemany("INSERT INTO segments VALUES (?, ?, 1, 1, 'a', 'a', '[]', '[]', 'c', 'e', 'f')",
                          [(f"s{n}", f"p{n}") for n in range(100)])
        state.commit()
def contents():
    with closing(sqlite3.connect(home / "state.db")) as state:
        assert state.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        revision = state.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        tables = state.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
        kept = state.execute("SELECT id, path, checksum FROM segments ORDER BY id").fetchall()
        return revision, tables, kept
assert in_child(fill) == 0
before = contents()
assert len(before[2]) == 100
kills = 0
for step in range(10, 100_000, 60):
    def killed():
        left = step
        def count(*_):
            nonlocal left
            left -= 1
            if left < 0:
                die()
        event.listen(Engine, "before_cursor_execute", count)
        SqliteState(home / "state.db").close()
    ended = in_child(killed)
    if ended != signal.SIGKILL:
        break
    kills += 1
    assert contents() == before
assert ended == 0
assert kills >= 2, kills
after = contents()
assert after[0] == chain.newest_revision()
assert after[2] == before[2]
"""


def run(program: str, home: Path) -> None:
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", FORKING + program, str(home)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_kill_while_sealing_keeps_what_counted_and_doubles_nothing(tmp_path: Path) -> None:
    run(SEALING, tmp_path)


def test_a_kill_while_migrating_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    run(MIGRATING, tmp_path)
