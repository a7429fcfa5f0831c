"""Legal holds of the events that a filter finds, such as those of a person."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    matching = sa.Column("matching", sa.Text(), nullable=False, server_default="")
    op.add_column("legal_holds", matching)
