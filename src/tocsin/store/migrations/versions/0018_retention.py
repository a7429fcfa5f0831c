"""What lies in each segment by source and day; rules of retention, its state, and legal holds."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "segment_census",
        sa.Column("segment_id", sa.String(64), nullable=False),
        sa.Column("lots", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_segment_census")),
    )
    op.create_table(
        "retention_rules",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("keep_days", sa.Float(), nullable=True),
        sa.Column("most_bytes", sa.BigInteger(), nullable=True),
        sa.Column("least_free_bytes", sa.BigInteger(), nullable=True),
        sa.Column("counted_from", sa.String(16), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_retention_rules")),
    )
    op.create_table(
        "retention_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("looked_at", Utc(), nullable=True),
        sa.Column("allowed_events", sa.BigInteger(), nullable=False),
        sa.Column("allowed_until", Utc(), nullable=True),
        sa.Column("stopped_at", Utc(), nullable=True),
        sa.Column("stopped_because", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_state")),
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("start", Utc(), nullable=True),
        sa.Column("until", Utc(), nullable=True),
        sa.Column("placed_at", Utc(), nullable=False),
        sa.Column("placed_by", sa.String(200), nullable=False),
        sa.Column("lifted_at", Utc(), nullable=True),
        sa.Column("lifted_by", sa.String(200), nullable=False),
        sa.Column("lifted_because", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
