"""The tables of access and audit."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

USERS = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("password_hash", String, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("disabled", Boolean, nullable=False),
    # The password was given by someone else: good for one sign-in, in which it must be changed.
    Column("must_change", Boolean, nullable=False),
    Column("one_time_used_at", Utc, nullable=True),
    Column("created_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    Column("last_sign_in_at", Utc, nullable=True),
)

SESSIONS = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("user_name", String, ForeignKey("users.name"), nullable=False, index=True),
    Column("address", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("last_seen_at", Utc, nullable=False),
)

API_TOKENS = Table(
    "api_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("roles", JSON, nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("last_used_at", Utc, nullable=True),
    Column("revoked_at", Utc, nullable=True),
)

SIGN_IN_ATTEMPTS = Table(
    "sign_in_attempts",
    metadata,
    Column("digest", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("blocked_until", Utc, nullable=True),
    Index(None, "last_at"),
)

# Times are kept as the very text the digest covers.
AUDIT_ENTRIES = Table(
    "audit_entries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("previous", String, nullable=False),
    Column("digest", String, nullable=False),
    Index(None, "digest"),
)

AUDIT_HEAD = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", Integer, nullable=False),
    Column("digest", String, nullable=False),
)
