"""How far each spool has been stored."""

from sqlalchemy import BigInteger, Column, String, Table

from tocsin.store.state import metadata

spool_offsets = Table(
    "spool_offsets",
    metadata,
    Column("spool", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
