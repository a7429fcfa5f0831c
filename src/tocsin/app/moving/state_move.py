"""Copies a state store, table by table, to another engine, and compares what arrived."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, insert, inspect, select, text

from tocsin.respond.tables import approvals, leases, playbook_runs
from tocsin.store.ports import StateStore, StoreError
from tocsin.store.state import metadata

_AT_ONCE = 1_000
_NOT_OURS = frozenset({"alembic_version"})
_DIGEST_BITS = 256
Told = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class MovedTable:
    """Rows of a table, and what they add up to, whatever their order."""

    name: str
    rows: int
    checksum: str


def copy_state(source: StateStore, target: StateStore, on_progress: Told) -> list[MovedTable]:
    """Everything of ``source``, in one transaction of ``target``, which must be empty.

    Raises StoreError when something is under way that only the old engine of runs knows of, when
    the target holds anything, or when what arrived is not what was sent.
    """
    moved: list[MovedTable] = []
    with source.read() as old, target.begin() as new:
        _refuse_what_runs(old)
        for table in _tables_of(old):
            if new.execute(select(func.count()).select_from(table)).scalar_one():
                raise StoreError(
                    f"the store to move to holds {table.name} already; give an empty database"
                )
        for table in _tables_of(old):
            sent = _copy(old, new, table)
            arrived = _sum(new, table)
            if sent != arrived:
                raise StoreError(
                    f"{table.name}: {sent.rows} rows were sent and {arrived.rows} arrived, or "
                    "not as they were; nothing was moved"
                )
            moved.append(arrived)
            on_progress(table.name, arrived.rows)
        _count_on(new)
    return moved


def _refuse_what_runs(old: Connection) -> None:
    busy = {
        "playbook runs": (playbook_runs, ("running", "waiting")),
        "approvals": (approvals, ("pending",)),
        "containments": (leases, ("active", "undoing")),
    }
    left = []
    for what, (table, statuses) in busy.items():
        is_busy = table.c.status.in_(statuses)
        count = old.execute(select(func.count()).select_from(table).where(is_busy)).scalar_one()
        if count:
            left.append(f"{count} {what}")
    if left:
        raise StoreError(
            f"{', '.join(left)} are under way, and only the engine they were started on goes on "
            "with them: let them end, or undo them, then move"
        )


def _tables_of(old: Connection) -> list[Table]:
    unknown = set(inspect(old).get_table_names()) - set(metadata.tables) - _NOT_OURS
    if unknown:
        raise StoreError(f"nobody knows the tables {', '.join(sorted(unknown))}: nothing was moved")
    return list(metadata.sorted_tables)


def _copy(old: Connection, new: Connection, table: Table) -> MovedTable:
    total, rows = 0, 0
    found = old.execute(select(table).execution_options(yield_per=_AT_ONCE))
    for part in found.partitions(_AT_ONCE):
        values = [dict(row._mapping) for row in part]
        new.execute(insert(table), values)
        rows += len(values)
        total = _added(total, values)
    return MovedTable(table.name, rows, f"{total:064x}")


def _sum(tx: Connection, table: Table) -> MovedTable:
    total, rows = 0, 0
    found = tx.execute(select(table).execution_options(yield_per=_AT_ONCE))
    for part in found.partitions(_AT_ONCE):
        rows += len(part)
        total = _added(total, [dict(row._mapping) for row in part])
    return MovedTable(table.name, rows, f"{total:064x}")


def _added(total: int, rows: list[dict[str, Any]]) -> int:
    for row in rows:
        told = repr(sorted(row.items()))
        total += int.from_bytes(hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest())
    return total % (1 << _DIGEST_BITS)


def _count_on(new: Connection) -> None:
    """Have PostgreSQL's counters go on where the numbers end; SQLite's do so by themselves."""
    if new.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        last = new.execute(select(func.max(column))).scalar()
        sequence = new.execute(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": table.name, "column": column.name},
        ).scalar()
        if sequence is not None and last is not None:
            new.execute(text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})
