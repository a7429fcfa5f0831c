"""Tables of what watching remembers: the state of correlations, and troubles that last."""

from sqlalchemy import Boolean, Column, LargeBinary, String, Table

from tocsin.store.state import Utc, metadata

CORRELATION_STATE = Table(
    "correlation_state",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

HEALTH_EPISODES = Table(
    "health_episodes",
    metadata,
    Column("rule_id", String, primary_key=True),
    Column("tenant", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("since", Utc, nullable=False),
    Column("is_told", Boolean, nullable=False),
)
