"""Overlays of rules with their history, the texts of rules, and what was hidden or staged."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "rule_overlays",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_rule_overlays")),
    )
    op.create_table(
        "rule_history",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.String(), nullable=False),
        sa.Column("text_digest", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "version", name=op.f("pk_rule_history")),
    )
    op.create_table(
        "rule_texts",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_rule_texts")),
    )
    op.create_table(
        "hidden_hits",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("exception_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.Column("last_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "exception_id", "day", name=op.f("pk_hidden_hits")),
    )
    op.create_index(op.f("ix_hidden_hits_day"), "hidden_hits", ["day"])
    op.create_table(
        "staged_findings",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.Column("last_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "day", name=op.f("pk_staged_findings")),
    )
    op.create_index(op.f("ix_staged_findings_day"), "staged_findings", ["day"])
