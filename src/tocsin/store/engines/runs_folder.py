"""The folder durable runs live in: its database, its executor id and the lock on both."""

import fcntl
import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tocsin.model.identifier import new_id
from tocsin.store.ports import HomeInUse


def sqlite_engine(path: Path) -> sa.Engine:
    """SQLite in WAL with synchronous FULL: a commit survives a power cut; writers queue 30 s."""
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=8, max_overflow=8, pool_timeout=30)
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, record: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def executor_id(folder: Path) -> str:
    """The name this folder's runs are recovered under; made once, the same ever after."""
    path = folder / "executor-id"
    if not path.is_file():
        temporary = folder / "executor-id.new"
        temporary.write_text(new_id("executor"), encoding="ascii")
        temporary.replace(path)
    return path.read_text(encoding="ascii").strip()


def hold_folder(folder: Path) -> int:
    """Take the folder for this process; two processes with one executor id run steps twice."""
    descriptor = os.open(folder / "runs.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise HomeInUse(
            f"{folder} is used by another process; stop it or choose another data folder"
        ) from error
    return descriptor


def release_folder(descriptor: int) -> None:
    os.close(descriptor)
