"""The table of how far each followed file has been read."""

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text

from tocsin.store.state import Utc, metadata

file_positions = Table(
    "file_positions",
    metadata,
    Column("source", String(300), primary_key=True),
    Column("identity", String(120), primary_key=True),
    Column("path", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("head", String(32), nullable=False),
    Column("tail", String(32), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("inside", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("header", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("changed_at", Utc, nullable=False),
)
