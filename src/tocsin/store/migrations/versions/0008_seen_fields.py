"""Which native fields each source has ever shown, so that rules can say what they wait for."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "seen_fields",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("last_seen", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "lane", "source", name=op.f("pk_seen_fields")),
    )
