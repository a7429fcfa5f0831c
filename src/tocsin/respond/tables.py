"""Response's tables: playbook documents, runs, steps, approvals, leases, decision records."""

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

playbook_documents = Table(
    "playbook_documents",
    metadata,
    Column("digest", String, primary_key=True),
    Column("playbook_id", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("stored_at", Utc, nullable=False),
)

playbook_runs = Table(
    "playbook_runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("playbook_id", String, nullable=False),
    Column("playbook_name", String, nullable=False),
    Column("playbook_digest", String, nullable=False),
    Column("case_id", String, nullable=False),
    Column("target_kind", String, nullable=False),
    Column("target_value", String, nullable=False),
    Column("lease_s", Integer, nullable=False),
    Column("started_by", String, nullable=False),
    Column("status", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("inputs", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "case_id"),
    Index(None, "status"),
)

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("step_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("status", String, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("detail", Text, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("walk_id", String, nullable=False),
    Column("case_id", String, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("plan_digest", String, nullable=False),
    Column("question", Text, nullable=False),
    Column("asked_of", String, nullable=False),
    Column("requested_by", String, nullable=False),
    Column("status", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("decided_at", Utc),
    Column("decided_by", String, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "run_id"),
    Index(None, "status"),
)

leases = Table(
    "leases",
    metadata,
    Column("id", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("case_id", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target_kind", String, nullable=False),
    Column("target_value", String, nullable=False),
    Column("handle", String, nullable=False),
    Column("status", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("created_by", String, nullable=False),
    Column("approved_by", String, nullable=False),
    Column("applied_at", Utc),
    Column("verified_at", Utc),
    Column("undone_at", Utc),
    Column("undone_by", String, nullable=False),
    Column("holder", String, nullable=False),
    Column("error", Text, nullable=False),
    Index(None, "run_id"),
    Index(None, "status"),
)

decision_records = Table(
    "decision_records",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("case_id", String, nullable=False),
    Column("record", Text, nullable=False),
    Column("signature", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("created_at", Utc, nullable=False),
    Index(None, "subject"),
)
