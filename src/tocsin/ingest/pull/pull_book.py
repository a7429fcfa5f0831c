"""Keeps positions of pulls whose other side keeps none, and counts what webhooks refused."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from tocsin.ingest.pull.pull_tables import intakes
from tocsin.store.ports import StateStore

_COUNT_EVERY_S = 10.0


class KeptPosition:
    """A position by the name of its intake (``s3/trail``); each store is a transaction of its own."""

    def __init__(self, state: StateStore, name: str) -> None:
        self._state = state
        self._name = name

    def load(self) -> Mapping[str, Any]:
        return dict(_row(self._state, self._name, "position"))

    def store(self, position: Mapping[str, Any]) -> None:
        _put(self._state, self._name, "position", dict(position))


class RefusedCount:
    """How many requests a door refused, by reason; written down every few seconds at most.

    So nobody who knocks without a key makes the disk busy.
    """

    def __init__(self, state: StateStore, name: str) -> None:
        self._state = state
        self._name = name
        self._counted = Counter({str(k): int(v) for k, v in _row(state, name, "refused").items()})
        self._counting = threading.Lock()
        self._written_at = float("-inf")
        self._is_dirty = False

    def add(self, reason: str) -> None:
        with self._counting:
            self._counted[reason] += 1
            self._is_dirty = True
            if time.monotonic() - self._written_at >= _COUNT_EVERY_S:
                self._write()

    def by_reason(self) -> dict[str, int]:
        with self._counting:
            return dict(self._counted)

    def close(self) -> None:
        """Write down what is not yet."""
        with self._counting:
            self._write()

    def _write(self) -> None:
        if self._is_dirty:
            _put(self._state, self._name, "refused", dict(self._counted))
            self._written_at, self._is_dirty = time.monotonic(), False


def _row(state: StateStore, name: str, column: str) -> Mapping[str, Any]:
    with state.read() as tx:
        found = tx.execute(select(intakes.c[column]).where(intakes.c.name == name)).scalar()
    return found or {}


def _put(state: StateStore, name: str, column: str, value: Mapping[str, Any]) -> None:
    with state.begin() as tx:
        changed = intakes.update().where(intakes.c.name == name).values({column: value})
        if not tx.execute(changed).rowcount:
            row = {"name": name, "position": {}, "refused": {}, column: value}
            tx.execute(intakes.insert().values(row))
