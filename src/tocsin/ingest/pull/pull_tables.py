"""The table of where pulls go on after a restart, and of what webhooks refused."""

from sqlalchemy import JSON, Column, String, Table

from tocsin.store.state import metadata

intakes = Table(
    "intakes",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("position", JSON, nullable=False),
    Column("refused", JSON, nullable=False),
)
