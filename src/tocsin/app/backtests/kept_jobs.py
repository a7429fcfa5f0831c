"""Jobs over history as they are kept, so that a restart knows what was asked for and how it went."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from tocsin.app.plain import as_json
from tocsin.app.rules.look_tables import HISTORY_JOBS
from tocsin.store.ports import StateStore

_TIMES = ("asked_at", "started_at", "finished_at")
_PLAIN = ("id", "kind", "rule_id", "by", *_TIMES, "state", "done", "total", "error")


class KeptJobs:
    """Rows of jobs; each call is a transaction of its own."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def add(self, facts: Mapping[str, Any]) -> None:
        with self._state.begin() as tx:
            tx.execute(insert(HISTORY_JOBS).values(_row(facts)))

    def change(self, facts: Mapping[str, Any]) -> None:
        here = HISTORY_JOBS.c.id == facts["id"]
        with self._state.begin() as tx:
            tx.execute(update(HISTORY_JOBS).where(here).values(_row(facts)))

    def drop(self, job_id: str) -> None:
        with self._state.begin() as tx:
            tx.execute(delete(HISTORY_JOBS).where(HISTORY_JOBS.c.id == job_id))

    def all(self) -> list[dict[str, Any]]:
        """In the order they were asked for."""
        query = select(HISTORY_JOBS).order_by(HISTORY_JOBS.c.asked_at, HISTORY_JOBS.c.id)
        with self._state.read() as tx:
            rows = [dict(row) for row in tx.execute(query).mappings()]
        for row in rows:
            row["asked"], row["result"] = json.loads(row["asked"]), json.loads(row["result"])
        return rows


def _row(facts: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: facts[name] for name in _PLAIN}
    texts = {name: json.dumps(as_json(facts[name])) for name in ("asked", "result")}
    return {**row, "kind": str(facts["kind"]), "state": str(facts["state"]), **texts}
