"""Alerts, what people changed in them, and the risk of each entity."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("fold_key", sa.String(), nullable=False),
        sa.Column("open_fold_key", sa.String(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("previous_id", sa.String(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("rule_title", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("entity_key", sa.String(), nullable=False),
        sa.Column("related", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("last_seen", Utc(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("addends", sa.JSON(), nullable=False),
        sa.Column("techniques", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("exemplars", sa.JSON(), nullable=False),
        sa.Column("recent_findings", sa.JSON(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("disposition", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("open_fold_key", name=op.f("uq_alerts_open_fold_key")),
    )
    for columns in (
        ["is_open", "score", "last_seen", "id"],
        ["status", "is_open"],
        ["score", "last_seen", "id"],
        ["entity_key", "is_open"],
        ["fold_key"],
        ["rule_id"],
        ["case_id"],
    ):
        op.create_index(op.f(f"ix_alerts_{'_'.join(columns)}"), "alerts", columns)
    op.create_table(
        "alert_changes",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("time", Utc(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_changes_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_alert_changes")),
    )
    op.create_index(op.f("ix_alert_changes_alert_id"), "alert_changes", ["alert_id"])
    op.create_table(
        "entity_risk",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("entity_key", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("alert_count", sa.Integer(), nullable=False),
        sa.Column("finding_count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", Utc(), nullable=False),
        sa.Column("last_seen", Utc(), nullable=False),
        sa.Column("highest_level", sa.String(), nullable=False),
        sa.Column("tactics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "entity_key", name=op.f("pk_entity_risk")),
    )
    op.create_index(
        op.f("ix_entity_risk_value_entity_key_tenant"),
        "entity_risk",
        ["value", "entity_key", "tenant"],
    )


def downgrade() -> None:
    op.drop_table("entity_risk")
    op.drop_table("alert_changes")
    op.drop_table("alerts")
