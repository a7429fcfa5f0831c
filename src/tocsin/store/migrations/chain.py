"""Runs the migrations that a state store still lacks, all in the caller's transaction."""

from functools import cache
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tocsin.store.ports import StoreError

VERSIONS = Path(__file__).resolve().parent / "versions"
"""A file a revision, whose number its name begins with."""
_DIGITS = 4


def upgrade(connection: Connection) -> bool:
    """Migrate to the newest revision; False when the tables were already there.

    Raises ``StoreError`` when the tables were made by a newer version of Tocsin.
    """
    current = current_revision(connection)
    if current == newest_revision():
        return False
    if current is not None and current not in known_revisions():
        raise StoreError(
            f"the state store is at revision {current}, which this version of Tocsin does not "
            "know; it was written by a newer version: upgrade Tocsin or restore a backup"
        )
    import_module("tocsin.store.migrations.run").upgrade(connection)  # a tenth of a start
    return True


def current_revision(connection: Connection) -> str | None:
    """The revision the tables are at, None when there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def newest_revision() -> str:
    return max(known_revisions())


@cache
def known_revisions() -> frozenset[str]:
    return frozenset(path.name[:_DIGITS] for path in VERSIONS.glob("[0-9]*_*.py"))
