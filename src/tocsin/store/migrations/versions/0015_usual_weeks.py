"""What each source usually sends by hour of week, when it came on, and what its door lost."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.drop_table("source_hours")
    op.create_table(
        "source_weeks",
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("last_hour", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", name=op.f("pk_source_weeks")),
    )
    op.drop_column("sources", "learned_slot")
    op.add_column("sources", sa.Column("advanced_at", Utc(), nullable=True))
    op.add_column("sources", _count("tls_refused"))
    for name in ("dropped", "tls_refused"):
        op.add_column("source_slots", _count(name))


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
