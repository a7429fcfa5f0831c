"""The database durable runs are kept in: a SQLite file, or PostgreSQL."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa


def postgres_engine(address: str) -> sa.Engine:
    """PostgreSQL at a ``postgresql://`` address; a commit survives a power cut."""
    url = sa.make_url(address).set(drivername="postgresql+psycopg")
    given = url.query.get("options", "")
    options = f"{given} -c synchronous_commit=on -c TimeZone=UTC".strip()
    return sa.create_engine(
        url.update_query_dict({"options": options}),
        pool_size=20,
        max_overflow=8,
        pool_timeout=30,
        pool_pre_ping=True,
    )


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
