"""People's SQL, answered in a process that a hostile statement may take down."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.app.plain import as_json
from tocsin.app.searches.search_process import SearchProcesses
from tocsin.app.searches.search_worker import Send
from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery
from tocsin.store.sql_plan import SqlPlan
from tocsin.store.stop_signal import StopSignal


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """At most as many rows as were asked for, as JSON; ``is_cut``: there are more.

    ``problems`` say which events are missing, of when and whom, as their segments are damaged.
    """

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedSql:
    """A statement over the events of ``within``."""

    statement: str
    size: int
    within: EventQuery

    def run(self, events: EventStore, send: Send) -> None:
        """Sends names of columns, rows as JSON (one more than asked for), what is missing."""
        told = events.sql(self.statement, self.size + 1, self.within, StopSignal())
        send((told.columns, orjson.dumps(as_json(told.rows), default=str), told.problems))


@dataclass(frozen=True, slots=True)
class SqlProgress:
    """How far a statement is: the share that is done, 0 to 1, as the engine guesses it."""

    share: float


@dataclass(frozen=True, slots=True)
class SqlHead:
    """Names and types of an answer's columns, and what is missing; before the first rows."""

    columns: list[str]
    types: list[str]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SqlPart:
    """Some rows of an answer as JSON; ``has_more``: they were the last that were asked for."""

    packed: bytes
    has_more: bool


@dataclass(frozen=True, slots=True)
class AskedFirstRows:
    """The first ``size`` rows of a statement that may run for long."""

    statement: str
    size: int
    within: EventQuery

    def run(self, events: EventStore, send: Send) -> None:
        """Sends a head, then rows in parts; progress at any time."""
        left = self.size
        in_turn = threading.Lock()

        def put(part: SqlProgress | SqlHead | SqlPart) -> None:
            with in_turn:
                send(part)

        def tell(share: float) -> None:
            with suppress(OSError):  # who asked has gone, which the next part finds out
                put(SqlProgress(share))

        asked = (self.statement, self.within, StopSignal(), tell)
        with events.sql_stream(*asked) as stream:
            put(SqlHead(stream.columns, stream.types, stream.problems))
            for chunk in stream.chunks:
                has_more = len(chunk) > left
                put(SqlPart(orjson.dumps(as_json(chunk[:left]), default=str), has_more))
                left -= min(left, len(chunk))
                if has_more:
                    return


@dataclass(frozen=True, slots=True)
class AskedPlan:
    """How a statement would be run."""

    statement: str
    within: EventQuery

    def run(self, events: EventStore, send: Send) -> None:
        send(events.explain(self.statement, self.within))


def answer_sql(processes: SearchProcesses, asked: AskedSql, stop: StopSignal) -> SqlAnswer:
    """Raises ``QueryError`` for what can't be run, ``QueryStopped`` and ``SearchesBusy``."""
    ((names, packed, problems),) = processes.parts(asked, stop)
    rows = orjson.loads(packed)
    return SqlAnswer(names, rows[: asked.size], len(rows) > asked.size, problems)


def plan_sql(processes: SearchProcesses, asked: AskedPlan, stop: StopSignal) -> SqlPlan:
    """Raises as ``answer_sql``."""
    plan: SqlPlan
    (plan,) = processes.parts(asked, stop)
    return plan
