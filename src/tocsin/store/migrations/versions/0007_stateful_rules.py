"""State of correlations, verdicts on several events, rates of sources, and what health lasts."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _correlation()
    _alerts()
    _health()


def _correlation() -> None:
    op.create_table(
        "correlation_state",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "key", name=op.f("pk_correlation_state")),
    )


def _alerts() -> None:
    for name in ("corrected", "retracted"):
        op.add_column(
            "alerts", sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"))
        )
    op.drop_index(op.f("ix_alerts_entity_key_is_open"), "alerts")
    for columns in (
        ["entity_key", "is_open", "score", "last_seen", "id"],
        ["entity_key", "score", "last_seen", "id"],
    ):
        op.create_index(op.f(f"ix_alerts_{'_'.join(columns)}"), "alerts", columns)
    op.create_table(
        "counted_findings",
        sa.Column("finding_id", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("corrects", sa.String(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("time", Utc(), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("told_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_counted_findings_alert_id_alerts")
        ),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_counted_findings")),
    )
    op.create_index(op.f("ix_counted_findings_alert_id"), "counted_findings", ["alert_id"])


def _health() -> None:
    op.create_table(
        "source_slots",
        sa.Column("tenant", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("unreadable", sa.BigInteger(), nullable=False),
        sa.Column("unrecognized", sa.BigInteger(), nullable=False),
        sa.Column("least_lag_s", sa.Float()),
        sa.PrimaryKeyConstraint("tenant", "source", "slot", name=op.f("pk_source_slots")),
    )
    op.create_index(op.f("ix_source_slots_slot"), "source_slots", ["slot"])
    op.create_table(
        "health_episodes",
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("is_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "tenant", "subject", name=op.f("pk_health_episodes")),
    )
