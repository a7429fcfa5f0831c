"""The blocklist's table: one row an entry, kept after it ended."""

from sqlalchemy import Column, Index, String, Table

from tocsin.store.state import Utc, metadata

blocklist_entries = Table(
    "blocklist_entries",
    metadata,
    Column("id", String, primary_key=True),
    Column("target_kind", String, nullable=False),
    Column("network", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("removed_at", Utc),
    Index(None, "expires_at"),
)
