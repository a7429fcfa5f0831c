"""The tables of cases: the case, its alerts and entities, its timeline and its tasks."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

CASES = Table(
    "cases",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("level", String, nullable=False),
    Column("assignee", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    Column("updated_at", Utc, nullable=False),
    Column("closed_at", Utc, nullable=True),
    Index(None, "updated_at", "id"),
    Index(None, "status", "updated_at", "id"),
    Index(None, "assignee", "updated_at", "id"),
)

# An alert is in one case at most; a case takes any number of alerts.
CASE_ALERTS = Table(
    "case_alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("case_id", String, ForeignKey("cases.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Index(None, "case_id", "place"),
)

CASE_ENTITIES = Table(
    "case_entities",
    metadata,
    Column("case_id", String, ForeignKey("cases.id"), primary_key=True),
    Column("entity_key", String, primary_key=True),
    Column("place", Integer, nullable=False),
    Index(None, "entity_key"),
)

CASE_ENTRIES = Table(
    "case_entries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("case_id", String, ForeignKey("cases.id"), nullable=False),
    Column("time", Utc, nullable=False),
    Column("kind", String, nullable=False),
    Column("author", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("reference", String, nullable=False),
    Index(None, "case_id", "number"),
)

CASE_TASKS = Table(
    "case_tasks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("case_id", String, ForeignKey("cases.id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("assignee", String, nullable=False),
    Column("due_at", Utc, nullable=True),
    Column("done_at", Utc, nullable=True),
    Column("done_by", String, nullable=False),
    Index(None, "case_id", "number"),
)
