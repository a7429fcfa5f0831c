"""Tables of the sources, of how much each sends, and of what could not be read."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, LargeBinary, String, Table, Text

from tocsin.store.state import Utc, metadata

sources = Table(
    "sources",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("name", String(300), primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("unrecognized", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False),
    Column("first_seen", Utc),
    Column("last_seen", Utc),
    Column("last_received", Utc),
    Column("lanes", JSON, nullable=False),
    Column("gaps", JSON, nullable=False),
    Column("least_lag_s", Float),
    Column("reported_silence", Utc),
    Column("ahead", BigInteger, nullable=False, server_default="0"),
    Column("late", BigInteger, nullable=False, server_default="0"),
    Column("dropped", BigInteger, nullable=False, server_default="0"),
    Column("duplicates", BigInteger, nullable=False, server_default="0"),
    Column("owner", String(200), nullable=False, server_default=""),
    Column("advanced_at", Utc),
    Column("tls_refused", BigInteger, nullable=False, server_default="0"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("source", String(300), nullable=False),
    Column("place", Text, nullable=False),
    Column("ordinal", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("excerpt", Text, nullable=False),
    Column("received_at", Utc, nullable=False),
    Column("framing", String(20), nullable=False, server_default="lines"),
    Column("connector", String(100)),
    Column("header", String(64), nullable=False, server_default=""),
    Index(None, "source", "id"),
)

source_slots = Table(
    "source_slots",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("source", String(300), primary_key=True),
    Column("slot", BigInteger, primary_key=True, index=True),
    Column("events", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("unreadable", BigInteger, nullable=False),
    Column("unrecognized", BigInteger, nullable=False),
    Column("least_lag_s", Float),
    Column("ahead", BigInteger, nullable=False, server_default="0"),
    Column("late", BigInteger, nullable=False, server_default="0"),
    Column("clock_ahead_s", Float),
    Column("dropped", BigInteger, nullable=False, server_default="0"),
    Column("tls_refused", BigInteger, nullable=False, server_default="0"),
)

source_weeks = Table(
    "source_weeks",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("source", String(300), primary_key=True),
    Column("last_hour", BigInteger, nullable=False),
    Column("counts", LargeBinary, nullable=False),
)

seen_fields = Table(
    "seen_fields",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("lane", String(200), primary_key=True),
    Column("source", String(300), primary_key=True),
    Column("fields", JSON, nullable=False),
    Column("first_seen", Utc, nullable=False),
    Column("last_seen", Utc, nullable=False),
    Column("fresh", JSON, nullable=False, server_default="{}"),
)
