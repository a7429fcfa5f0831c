"""Tables of what is kept how long: rules set at run time, how retention goes, legal holds."""

from sqlalchemy import JSON, BigInteger, Column, Float, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

LONGEST_NAME = 120

RETENTION_RULES = Table(
    "retention_rules",
    metadata,
    Column("name", String(LONGEST_NAME), primary_key=True),
    Column("tenant", String(200), nullable=False),
    Column("source", String(300), nullable=False),
    Column("keep_days", Float),
    Column("most_bytes", BigInteger),
    Column("least_free_bytes", BigInteger),
    Column("counted_from", String(16), nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("changed_by", String(200), nullable=False),
)

RETENTION_STATE = Table(
    "retention_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("looked_at", Utc),
    Column("allowed_events", BigInteger, nullable=False),
    Column("allowed_until", Utc),
    Column("stopped_at", Utc),
    Column("stopped_because", Text, nullable=False),
)
"""One row. ``looked_at`` is the latest time by the clock that retention has believed."""

LEGAL_HOLDS = Table(
    "legal_holds",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("reason", Text, nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("sources", JSON, nullable=False),
    Column("start", Utc),
    Column("until", Utc),
    Column("placed_at", Utc, nullable=False),
    Column("placed_by", String(200), nullable=False),
    Column("lifted_at", Utc),
    Column("lifted_by", String(200), nullable=False),
    Column("lifted_because", Text, nullable=False),
    Column("matching", Text, nullable=False, server_default=""),
)
