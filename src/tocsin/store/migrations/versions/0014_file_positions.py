"""How far each followed file has been read."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "file_positions",
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("identity", sa.String(120), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(32), nullable=False),
        sa.Column("tail", sa.String(32), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("inside", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("changed_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("source", "identity", name=op.f("pk_file_positions")),
    )
