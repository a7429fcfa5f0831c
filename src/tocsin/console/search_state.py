"""What the address of a search holds: the question, its range, and the record that is open."""

from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.app.moment import parse_moment
from tocsin.console.visit import with_query
from tocsin.store.lucene import quoted
from tocsin.store.query import EventQuery

PRESETS = (
    ("now-15m", "Last 15 minutes"),
    ("now-1h", "Last hour"),
    ("now-4h", "Last 4 hours"),
    ("now-24h", "Last 24 hours"),
    ("now-7d", "Last 7 days"),
    ("now-30d", "Last 30 days"),
    ("all", "All time"),
)
DEFAULT_FROM = "now-24h"


@dataclass(frozen=True, slots=True)
class SearchState:
    """``start`` and ``to`` as people write them: ISO times, ``now-4h``, or ``all``."""

    q: str = ""
    start: str = DEFAULT_FROM
    to: str = ""
    cursor: str = ""
    record: str = ""
    view: str = "ocsf"

    def address(self, path: str = "/search", **changes: str) -> str:
        """The address with some parts changed; what is as by default is left out."""
        changed = replace(self, **changes)
        return with_query(
            path,
            {
                "q": changed.q,
                "from": "" if changed.start == DEFAULT_FROM else changed.start,
                "to": changed.to,
                "cursor": changed.cursor,
                "record": changed.record,
                "view": "" if changed.view == "ocsf" else changed.view,
            },
        )

    def range(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """The range asked for; raises ValueError that says how a time is written."""
        start = None if self.start == "all" else parse_moment(self.start, now)
        end = parse_moment(self.to, now) if self.to else None
        if start and end and start >= end:
            raise ValueError("the range ends before it begins; exchange from and to")
        return start, end

    def query(self, now: datetime, size: int = 100) -> EventQuery:
        start, end = self.range(now)
        return EventQuery(self.q, start, end, size, self.cursor or None)

    def range_title(self) -> str:
        """The range in words."""
        for value, title in PRESETS:
            if self.start == value and not self.to:
                return title
        return f"{self.start} to {self.to or 'now'}"

    def asks_for(self, query: str, start: str, until: str) -> bool:
        """Whether this is that question with that range."""
        return (self.q.strip(), self.start, self.to) == (query, start or DEFAULT_FROM, until)

    def with_term(self, field: str, value: str, *, without: bool = False) -> str:
        """The address that also asks for (or leaves out) one value of a field."""
        term = f"{'NOT ' if without else ''}{field}:{quoted(value)}"
        if not self.q.strip():
            wider = term
        elif " OR " in self.q:
            wider = f"({self.q.strip()}) AND {term}"
        else:
            wider = f"{self.q.strip()} AND {term}"
        return self.address(q=wider, cursor="", record="")


@dataclass(frozen=True, slots=True)
class QueryFault:
    """Where a query fails: the text before, the wrong part (shown underlined), and what to do."""

    before: str
    wrong: str
    after: str
    message: str


def fault_in(text: str, message: str, at: int | None) -> QueryFault:
    """The fault at character ``at`` (0-based; None: unknown, nothing is marked)."""
    if at is None:
        return QueryFault("", "", "", message)
    at = max(0, min(at, len(text)))
    end = at
    while end < len(text) and not text[end].isspace():
        end += 1
    return QueryFault(text[:at], text[at:end], text[end:], message)
