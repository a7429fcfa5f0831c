"""Ends an engine of SQLAlchemy for good, with connections that are still in use."""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry


def end(engine: Engine) -> None:
    """Close its connections: those at rest now, those a thread still has when it gives them back.

    ``dispose`` alone closes the former; the latter would stay open until garbage is looked for.
    """
    event.listen(engine, "checkin", _close)
    engine.dispose()


def _close(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.invalidate()
