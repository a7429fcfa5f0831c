"""A search that runs by itself: how far it is, what it has found so far, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from tocsin.app.plain import as_json
from tocsin.app.searches.kept_rows import KeptRows
from tocsin.store.query import Bucket, EventQuery
from tocsin.store.stop_signal import StopSignal


class SearchJobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Ended before it was done; what it had found is there."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AskedSearch:
    """What is searched for: ``query.size`` events are kept (the newest), all are counted.

    ``buckets`` counts over time are made (0: none). When nobody asks how it goes for
    ``leave_after_s`` (None: that is as well), it ends. With ``sql`` that statement is run over
    the events of ``query``, and the first ``query.size`` rows are kept.
    """

    query: EventQuery
    buckets: int = 0
    leave_after_s: float | None = None
    sql: str = ""


@dataclass(slots=True)
class SearchJob:
    """One job. All events from ``complete_from`` on are searched; None before the first slice."""

    id: str
    asked: AskedSearch
    by: str
    asked_at: datetime
    kept: KeptRows = field(repr=False)
    stop: StopSignal = field(repr=False)
    seen_at: datetime
    state: SearchJobState = SearchJobState.WAITING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    segments_done: int = 0
    segments_total: int = 0
    rows_done: int = 0
    rows_total: int = 0
    found: int = 0
    complete_from: datetime | None = None
    buckets: tuple[Bucket, ...] = ()
    columns: tuple[str, ...] = ()
    """Of the rows, when it is SQL; the engine's names of their types are ``types``."""
    types: tuple[str, ...] = ()
    share_done: float | None = None
    """Of an SQL statement, 0 to 1 as the engine guesses it; None: it does not say."""
    is_cut: bool = False
    """There are more rows (or events) than are kept."""
    problems: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_over(self) -> bool:
        return self.state not in (SearchJobState.WAITING, SearchJobState.RUNNING)

    @property
    def is_whole(self) -> bool:
        """Every row (or event) that there is was found and is kept."""
        return self.state is SearchJobState.DONE and not self.is_cut

    def tell_problems(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys((*self.problems, *problems)))

    def add_counts(self, first: int, counts: Sequence[Bucket]) -> None:
        """Counts of the buckets from number ``first`` on."""
        changed = list(self.buckets)
        for at, count in enumerate(counts, first):
            known = changed[at]
            by = dict(known.by)
            for severity, events in count.by.items():
                by[severity] = by.get(severity, 0) + events
            changed[at] = replace(known, count=known.count + count.count, by=by)
        self.buckets = tuple(changed)

    def facts(self, *, with_buckets: bool = True) -> dict[str, Any]:
        """All but the rows, as JSON."""
        query = self.asked.query
        told: dict[str, Any] = {
            "id": self.id,
            "by": self.by,
            "sql": self.asked.sql,
            "q": query.text,
            "from": query.start,
            "to": query.end,
            "size": query.size,
            "state": self.state,
            "reason": self.reason,
            "segments_done": self.segments_done,
            "segments_total": self.segments_total,
            "rows_done": self.rows_done,
            "rows_total": self.rows_total,
            "share_done": self.share_done,
            "found": self.found,
            "columns": self.columns,
            "kept": self.kept.count,
            "complete_from": self.complete_from,
            "asked_at": self.asked_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "problems": self.problems,
        }
        if with_buckets:
            told["buckets"] = self.buckets
        return dict(as_json(told))
