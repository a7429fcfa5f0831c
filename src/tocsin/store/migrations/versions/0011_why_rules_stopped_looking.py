"""Why a rule stopped looking, and looks at history that outlive a restart."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    cause = sa.Column("cause", sa.String(), nullable=False, server_default="")
    op.add_column("rule_watches", cause)
    op.create_table(
        "history_jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("asked_at", Utc(), nullable=False),
        sa.Column("started_at", Utc(), nullable=True),
        sa.Column("finished_at", Utc(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_jobs")),
    )
