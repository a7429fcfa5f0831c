"""What a quarantined record needs to be read again, clocks of sources, their hours, their owners."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade() -> None:
    op.add_column(
        "quarantine",
        sa.Column("framing", sa.String(20), nullable=False, server_default="lines"),
    )
    op.add_column("quarantine", sa.Column("connector", sa.String(100), nullable=True))
    op.add_column(
        "quarantine", sa.Column("header", sa.String(64), nullable=False, server_default="")
    )
    for name in ("ahead", "late", "dropped"):
        op.add_column("sources", _count(name))
    op.add_column("sources", sa.Column("owner", sa.String(200), nullable=False, server_default=""))
    op.add_column("sources", sa.Column("learned_slot", sa.BigInteger(), nullable=True))
    for name in ("ahead", "late"):
        op.add_column("source_slots", _count(name))
    op.add_column("source_slots", sa.Column("clock_ahead_s", sa.Float(), nullable=True))
    op.add_column("seen_fields", sa.Column("fresh", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "source_hours",
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("hour", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("events", sa.Float(), nullable=False),
        sa.Column("weeks", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "hour", name=op.f("pk_source_hours")),
    )
