"""Tables of the life of rules: overlays, their history, rule texts, and what was hidden or staged."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

RULE_OVERLAYS = Table(
    "rule_overlays",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    # JSON as text, so that damaged content can still be fetched and told.
    Column("content", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Utc, nullable=False),
)

RULE_HISTORY = Table(
    "rule_history",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("what", String, nullable=False),
    Column("diff", Text, nullable=False),
    # The overlay as of this version: its JSON, or of long ones the SHA-256 of its blob.
    Column("content", Text, nullable=False),
    Column("content_digest", String, nullable=False),
    Column("text_digest", String, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Utc, nullable=False),
    Column("reason", Text, nullable=False),
)

RULE_TEXTS = Table(
    "rule_texts",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("path", String, nullable=False),
)

HIDDEN_HITS = Table(
    "hidden_hits",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("exception_id", String, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("samples", JSON, nullable=False),
    Column("last_at", Utc, nullable=False),
    Index(None, "day"),
)

STAGED_FINDINGS = Table(
    "staged_findings",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("samples", JSON, nullable=False),
    Column("last_at", Utc, nullable=False),
    Index(None, "day"),
)
