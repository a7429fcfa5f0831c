"""What is known of a merged segment's events without opening it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "segment_facts",
        sa.Column("segment_id", sa.String(64), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_segment_facts")),
    )
