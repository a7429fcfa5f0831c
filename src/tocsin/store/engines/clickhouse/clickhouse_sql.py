"""People's read-only SQL on ClickHouse: the statement is checked as ever, and then retold."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlglot
from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import micros_of
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable
from tocsin.store.engines.clickhouse.clickhouse_search import ClickHouseSearch
from tocsin.store.engines.parquet.event_rows import plain_value
from tocsin.store.engines.state import manifest
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import Segment, StateStore
from tocsin.store.query import EventQuery
from tocsin.store.sql_guard import VIEW, checked
from tocsin.store.sql_plan import PlanStep, SqlPlan
from tocsin.store.sql_rows import SqlRows, SqlStream
from tocsin.store.stop_signal import StopSignal

_READ_ONLY = {
    "readonly": 2,
    "allow_ddl": 0,
    "input_format_try_infer_dates": 0,
    "input_format_try_infer_datetimes": 0,
}


class ClickHouseSql:
    """Answers statements over the view ``events``."""

    def __init__(self, clickhouse: ClickHouse, search: ClickHouseSearch, state: StateStore) -> None:
        self._clickhouse = clickhouse
        self._search = search
        self._state = state

    def run(
        self, statement: str, size: int, within: EventQuery, stop: StopSignal | None
    ) -> SqlRows:
        """Column names and at most ``size`` rows."""
        tree, _ = self._told(statement, within, stop)
        names, rows = self._clickhouse.rows(tree.sql("clickhouse"), stop, limit=size, **_READ_ONLY)
        return SqlRows(names, [tuple(plain_value(value) for value in row) for row in rows[:size]])

    @contextmanager
    def stream(
        self, statement: str, within: EventQuery, stop: StopSignal | None
    ) -> Iterator[SqlStream]:
        """All rows, as they come."""
        tree, _ = self._told(statement, within, stop)
        asked = tree.sql("clickhouse")
        with self._clickhouse.rows_as_they_come(asked, stop, **_READ_ONLY) as (told, blocks):
            plain = (
                [tuple(plain_value(value) for value in row) for row in block] for block in blocks
            )
            names, types = ([one[at] for one in told] for at in (0, 1))
            yield SqlStream(names, types, plain)

    def explain(self, statement: str, within: EventQuery) -> SqlPlan:
        """What running it would do."""
        tree, searched = self._told(statement, within, None)
        asked = f"EXPLAIN json = 1, indexes = 1 {tree.sql('clickhouse')}"
        _, rows = self._clickhouse.rows(asked, None, **_READ_ONLY)
        roots = json.loads("\n".join(row[0] for row in rows))
        with self._state.read() as tx:
            everything = manifest.between(tx, None, None)
        return SqlPlan(
            steps=tuple(step for root in roots for step in _steps(root["Plan"], 0)),
            segments=len(searched),
            segments_total=len(everything),
            rows=sum(one.rows for one in searched),
            rows_total=sum(one.rows for one in everything),
        )

    def _told(
        self, statement: str, within: EventQuery, stop: StopSignal | None
    ) -> tuple[exp.Expr, list[Segment]]:
        """The statement in ClickHouse's words, and the segments its view is over."""
        tree = sqlglot.parse_one(checked(statement), read="duckdb").transform(_node)
        looked = self._search.look(within, stop)
        view = exp.CTE(
            this=_events(looked.table, looked.table.matching(within, looked.found)),
            alias=exp.TableAlias(this=exp.to_identifier(VIEW)),
        )
        earlier = tree.args.get("with_")
        rest = earlier.expressions if earlier is not None else []
        tree.set("with_", exp.With(expressions=[view, *rest]))
        return tree, looked.segments


def _steps(plan: dict[str, Any], depth: int) -> Iterator[PlanStep]:
    known = {"Node Type", "Node Id", "Plans"}
    facts = tuple((name, _told(value)) for name, value in plan.items() if name not in known)
    yield PlanStep(depth, plan["Node Type"], None, facts)
    for inner in plan.get("Plans", ()):
        yield from _steps(inner, depth + 1)


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _events(table: EventTable, where: exp.Expr) -> exp.Select:
    """What the view ``events`` shows: times as times, records as objects."""
    columns: list[exp.Expr | str] = [
        _moment(name) if kind == "TIMESTAMP" else name for name, kind in ENVELOPE.items()
    ]
    columns += [column.name for column in HOT_COLUMNS]
    columns += [_record("ocsf"), _record("native"), "raw"]
    return table.select(*columns).where(where)


def _moment(name: str) -> exp.Expr:
    column = exp.column(name, quoted=True)
    zone = exp.Literal.string("UTC")
    made = exp.Anonymous(this="fromUnixTimestamp64Micro", expressions=[column, zone])
    return exp.alias_(made, name, quoted=True)


def _record(name: str) -> exp.Expr:
    text = exp.column(f"{name}_text", quoted=True)
    return exp.alias_(exp.cast(text, "JSON", dialect="clickhouse"), name, quoted=True)


def _node(node: exp.Expr) -> exp.Expr:
    if (
        isinstance(node, exp.Cast)
        and node.to.is_type("timestamp", "timestamptz")
        and isinstance(node.this, exp.Literal)
    ):
        moment = exp.Literal.number(micros_of(node.this.this))
        zone = exp.Literal.string("UTC")
        return exp.Anonymous(this="fromUnixTimestamp64Micro", expressions=[moment, zone])
    return node
