"""Alembic's part of a migration; it is imported only where tables have to change."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

FOLDER = Path(__file__).resolve().parent


def upgrade(connection: Connection) -> None:
    """Run what is missing up to the newest revision, in the connection's transaction."""
    config = settings()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def settings() -> Config:
    """What Alembic needs to know to find the revisions."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
