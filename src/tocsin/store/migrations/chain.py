"""Runs the migrations that a state store still lacks, all in the caller's transaction."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from tocsin.store.ports import StoreError

FOLDER = Path(__file__).resolve().parent


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
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True


def current_revision(connection: Connection) -> str | None:
    """The revision the tables are at, None when there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


@cache
def newest_revision() -> str | None:
    return _script().get_current_head()


@cache
def known_revisions() -> frozenset[str]:
    return frozenset(script.revision for script in _script().walk_revisions())


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
