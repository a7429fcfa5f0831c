"""Tables of what was looked at: by lane and rule set, by rule, by run of the platform."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from tocsin.store.state import Utc, metadata

LANE_LOOKS = Table(
    "lane_looks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("lane", String, nullable=False),
    Column("rules", String, nullable=False),
    Column("change", Integer, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("first_time", Utc, nullable=False),
    Column("last_time", Utc, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Index(None, "lane", "until"),
    Index(None, "until"),
)

RULE_WATCHES = Table(
    "rule_watches",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rule_id", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=True),
    # The change of rules that brought it, and the one that took it away: events are looked at
    # between two changes, whenever they were received.
    Column("since_change", Integer, nullable=False),
    Column("until_change", Integer, nullable=True),
    # Why it ended: "decided", "budget", or "" (its file went, or it still lasts).
    Column("cause", String, nullable=False, server_default=""),
    Index(None, "rule_id", "since"),
    Index(None, "until"),
)

RULE_FILLS = Table(
    "rule_fills",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rule_id", String, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("damage", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Utc, nullable=False),
    Index(None, "rule_id"),
)

HISTORY_JOBS = Table(
    "history_jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("rule_id", String, nullable=False),
    Column("by", String, nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("started_at", Utc, nullable=True),
    Column("finished_at", Utc, nullable=True),
    Column("state", String, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    # JSON: what was asked for, so that it can be asked for again; and what came of it.
    Column("asked", Text, nullable=False),
    Column("result", Text, nullable=False),
)

PLATFORM_RUNS = Table(
    "platform_runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
)
