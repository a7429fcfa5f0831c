"""Inserting a row once: what is there already stays as it is, on any SQL engine."""

from typing import Any

from sqlalchemy import Connection, Table, insert, select


def insert_once(tx: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert unless a row with the same primary key is there; True when it was inserted.

    Looks first: the caller's write transaction (one writer) keeps others out meanwhile.
    """
    key = [column == values[column.name] for column in table.primary_key.columns]
    if tx.execute(select(*table.primary_key.columns).where(*key)).first() is not None:
        return False
    tx.execute(insert(table).values(values))
    return True
