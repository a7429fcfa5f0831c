"""The manifest: one row for every segment of events that counts, and the fields seen in them."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, String, Table

from tocsin.store.state import Utc, metadata

segments = Table(
    "segments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("path", String(255), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("first_time", Utc, nullable=False),
    Column("last_time", Utc, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("lanes", JSON, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("first_event_id", String(64), nullable=False),
    Column("last_event_id", String(64), nullable=False),
    Index(None, "last_time"),
)

segment_census = Table(
    "segment_census",
    metadata,
    Column("segment_id", String(64), primary_key=True),
    Column("lots", JSON, nullable=False),
)
"""What lies in a segment by source and day of intake; counted when it is first asked for."""

segment_facts = Table(
    "segment_facts",
    metadata,
    Column("segment_id", String(64), primary_key=True),
    Column("packed", LargeBinary, nullable=False),
)
"""What is known of a segment's events, so that searches need not open it."""

event_fields = Table(
    "event_fields",
    metadata,
    Column("lane", String(255), primary_key=True),
    Column("space", String(16), primary_key=True),
    Column("path", String, primary_key=True),
)
