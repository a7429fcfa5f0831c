"""What the address of the SQL tab holds: the statement, the events it looks at, what is shown."""

from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.console.search_state import DEFAULT_FROM, SearchState
from tocsin.console.visit import with_query
from tocsin.store.query import EventQuery

VIEWS = ("rows", "plan")


@dataclass(frozen=True, slots=True)
class SqlState:
    """``q``, ``start`` and ``to`` say which events the view has; ``lane`` opens its own fields."""

    sql: str = ""
    q: str = ""
    start: str = DEFAULT_FROM
    to: str = ""
    view: str = "rows"
    lane: str = ""

    def address(self, path: str = "/search/sql", **changes: str) -> str:
        changed = replace(self, **changes)
        return with_query(
            path,
            {
                "sql": changed.sql,
                "q": changed.q,
                "from": "" if changed.start == DEFAULT_FROM else changed.start,
                "to": changed.to,
                "view": "" if changed.view == "rows" else changed.view,
                "lane": changed.lane,
            },
        )

    def within(self, now: datetime) -> EventQuery:
        """The events the view has; ValueError for a range that can't be."""
        return SearchState(self.q, self.start, self.to).query(now)
