"""Searches people keep under a name."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("start", sa.String(40), nullable=False),
        sa.Column("until", sa.String(40), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_saved_searches_owner_name")),
    )
    op.create_index(op.f("ix_saved_searches_is_shared"), "saved_searches", ["is_shared"])
