"""How many records of each source came a second time."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column(
        "sources", sa.Column("duplicates", sa.BigInteger(), nullable=False, server_default="0")
    )
