"""The manifest of event segments and the fields seen in them."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("first_time", Utc(), nullable=False),
        sa.Column("last_time", Utc(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("lanes", sa.JSON(), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("first_event_id", sa.String(64), nullable=False),
        sa.Column("last_event_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
    )
    op.create_index(op.f("ix_segments_last_time"), "segments", ["last_time"])
    op.create_table(
        "event_fields",
        sa.Column("lane", sa.String(255), nullable=False),
        sa.Column("space", sa.String(16), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "space", "path", name=op.f("pk_event_fields")),
    )


def downgrade() -> None:
    op.drop_table("event_fields")
    op.drop_table("segments")
