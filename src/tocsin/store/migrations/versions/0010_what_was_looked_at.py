"""What was looked at by which rules: by lane, by rule, by run of the platform, and what was filled."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "lane_looks",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.Column("first_time", Utc(), nullable=False),
        sa.Column("last_time", Utc(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lane_looks")),
    )
    op.create_index(op.f("ix_lane_looks_lane_until"), "lane_looks", ["lane", "until"])
    op.create_index(op.f("ix_lane_looks_until"), "lane_looks", ["until"])
    op.create_table(
        "rule_watches",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=True),
        sa.Column("since_change", sa.Integer(), nullable=False),
        sa.Column("until_change", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rule_watches")),
    )
    op.create_index(op.f("ix_rule_watches_rule_id_since"), "rule_watches", ["rule_id", "since"])
    op.create_index(op.f("ix_rule_watches_until"), "rule_watches", ["until"])
    op.create_table(
        "rule_fills",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("until", Utc(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("findings", sa.BigInteger(), nullable=False),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rule_fills")),
    )
    op.create_index(op.f("ix_rule_fills_rule_id"), "rule_fills", ["rule_id"])
    op.create_table(
        "platform_runs",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("started_at", Utc(), nullable=False),
        sa.Column("seen_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_platform_runs")),
    )
