"""Sources with their ledgers, the quarantine, and how far the spool has been stored."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "spool_offsets",
        sa.Column("spool", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("spool", name=op.f("pk_spool_offsets")),
    )
    op.create_table(
        "sources",
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("unrecognized", sa.BigInteger(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", Utc(), nullable=True),
        sa.Column("last_seen", Utc(), nullable=True),
        sa.Column("last_received", Utc(), nullable=True),
        sa.Column("lanes", sa.JSON(), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("least_lag_s", sa.Float(), nullable=True),
        sa.Column("reported_silence", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_sources")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.Column("received_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index(op.f("ix_quarantine_source_id"), "quarantine", ["source", "id"])


def downgrade() -> None:
    op.drop_table("quarantine")
    op.drop_table("sources")
    op.drop_table("spool_offsets")
