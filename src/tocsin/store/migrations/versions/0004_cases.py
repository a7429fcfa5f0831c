"""Cases, their alerts and entities, their timeline and tasks."""

import sqlalchemy as sa
from alembic import op

from tocsin.store.state import Utc

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_cases()
    _create_members()
    _create_work()


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("updated_at", Utc(), nullable=False),
        sa.Column("closed_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    for columns in (
        ["updated_at", "id"],
        ["status", "updated_at", "id"],
        ["assignee", "updated_at", "id"],
    ):
        op.create_index(op.f(f"ix_cases_{'_'.join(columns)}"), "cases", columns)


def _create_members() -> None:
    op.create_table(
        "case_alerts",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_alerts_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_case_alerts")),
    )
    op.create_index(op.f("ix_case_alerts_case_id_place"), "case_alerts", ["case_id", "place"])
    op.create_table(
        "case_entities",
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("entity_key", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_entities_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("case_id", "entity_key", name=op.f("pk_case_entities")),
    )
    op.create_index(op.f("ix_case_entities_entity_key"), "case_entities", ["entity_key"])


def _create_work() -> None:
    op.create_table(
        "case_entries",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("time", Utc(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_entries_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_case_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_case_entries_id")),
    )
    op.create_index(op.f("ix_case_entries_case_id_number"), "case_entries", ["case_id", "number"])
    op.create_table(
        "case_tasks",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("due_at", Utc(), nullable=True),
        sa.Column("done_at", Utc(), nullable=True),
        sa.Column("done_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_tasks_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_case_tasks")),
        sa.UniqueConstraint("id", name=op.f("uq_case_tasks_id")),
    )
    op.create_index(op.f("ix_case_tasks_case_id_number"), "case_tasks", ["case_id", "number"])


def downgrade() -> None:
    for table in ("case_tasks", "case_entries", "case_entities", "case_alerts", "cases"):
        op.drop_table(table)
