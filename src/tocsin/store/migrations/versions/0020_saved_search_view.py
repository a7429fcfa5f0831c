"""How a saved search is shown: its columns, their order, the order of time, the zone."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    shown = sa.Column("shown", sa.Text(), nullable=False, server_default="")
    op.add_column("saved_searches", shown)
