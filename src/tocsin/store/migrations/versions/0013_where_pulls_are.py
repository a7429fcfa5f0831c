"""Where pulls go on after a restart, and what webhooks refused."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "intakes",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.Column("refused", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_intakes")),
    )
