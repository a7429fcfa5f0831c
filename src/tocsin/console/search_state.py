"""What the address of a search holds: the question, its range, how it is shown, what is open."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import parse_qsl, urlencode

from tocsin.app.moment import parse_moment
from tocsin.app.searches.saved_searches import SavedSearch
from tocsin.console.display import stamp
from tocsin.console.visit import with_query
from tocsin.console.zones import zone_of
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
DEFAULT_COLUMNS = ("source", "host", "user", "event")
MOST_COLUMNS = 20
SHOWN = ("cols", "sort", "tz", "split")
"""The parts of an address that say how events are shown, not which."""
_READ_BY_LUCENE = frozenset(' +!(){}[]^"~*?:\\/<>=&|')
_TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"?|/(?:\\.|[^/\\])*/|[\[{][^\]}]*[\]}]?|[><]=?|\S(?:\\.|,(?=\S)|[^\s()\[\]{}:,])*'
)
"""What is underlined of a query from a fault on: a text, pattern, range, or a word."""
_DEFAULTS = {"from": DEFAULT_FROM, "view": "ocsf", "cols": ",".join(DEFAULT_COLUMNS)}


@dataclass(frozen=True, slots=True)
class SearchState:
    """``start`` and ``to`` as people write them: ISO times, ``now-4h``, or ``all``.

    ``columns`` are field names joined by commas (``event`` is the summary line), ``sort`` is
    ``oldest`` or nothing, ``zone`` an IANA name, ``around`` what stands around the record that
    is open: ``host.5`` is the same host within five minutes. ``live``: what comes in is shown.
    ``split`` is the field the histogram is split by, nothing for severity.
    """

    q: str = ""
    start: str = DEFAULT_FROM
    to: str = ""
    cursor: str = ""
    record: str = ""
    view: str = "ocsf"
    columns: str = ""
    sort: str = ""
    zone: str = ""
    around: str = ""
    live: str = ""
    split: str = ""

    def address(self, path: str = "/search", **changes: str) -> str:
        """The address with some parts changed; what is as by default is left out."""
        return with_query(path, replace(self, **changes).parts())

    def parts(self) -> dict[str, str]:
        """The query of the address, "" for what is as by default."""
        parts = {
            "q": self.q,
            "from": self.start,
            "to": self.to,
            "cursor": self.cursor,
            "record": self.record,
            "view": self.view,
            "cols": self.columns,
            "sort": self.sort,
            "tz": self.zone,
            "around": self.around,
            "live": self.live,
            "split": self.split,
        }
        return {name: "" if _DEFAULTS.get(name) == text else text for name, text in parts.items()}

    def part(self, path: str, **more: str) -> str:
        """The address of a part of the page, asked for the same events; ``more`` is added."""
        asked = replace(self, cursor="", record="", view="ocsf", around="", live="")
        return with_query(path, {**asked.parts(), **more})

    def shown(self) -> str:
        """The part of the address that says how events are shown, to be kept with a search."""
        parts = self.parts()
        return urlencode({name: parts[name] for name in SHOWN if parts[name]})

    @property
    def tz(self) -> tzinfo:
        """The zone times are shown in; UTC when the one named is none."""
        try:
            return zone_of(self.zone)
        except ValueError:
            return UTC

    def range(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """The range asked for; raises ValueError that says how a time is written."""
        zone = zone_of(self.zone)
        start = None if self.start == "all" else parse_moment(self.start, now, zone)
        end = parse_moment(self.to, now, zone) if self.to else None
        if start and end and start >= end:
            raise ValueError("the range ends before it begins; exchange from and to")
        return start, end

    def query(self, now: datetime, size: int = 100) -> EventQuery:
        start, end = self.range(now)
        return EventQuery(
            self.q, start, end, size, self.cursor or None, oldest_first=self.sort == "oldest"
        )

    def range_title(self) -> str:
        """The range in words."""
        for value, title in PRESETS:
            if self.start == value and not self.to:
                return title
        return f"{_readable(self.start)} to {_readable(self.to) or 'now'}"

    def asks_for(self, query: str, start: str, until: str) -> bool:
        """Whether this is that question with that range."""
        return (self.q.strip(), self.start, self.to) == (query, start or DEFAULT_FROM, until)

    def fixed(self, now: datetime) -> str:
        """The address that shows others the same: its times don't move on."""
        start, end = self.range(now)
        start_text = stamp(start) if start else "all"
        return self.address(start=start_text, to=stamp(end or now), live="")

    def shifted(self, now: datetime, steps: float, widened: float = 1) -> str:
        """The address of the range as long, moved by ``steps`` lengths; or ``widened`` in place."""
        start, end = self.range(now)
        if start is None:
            return self.address()
        end = end or now
        length = end - start
        try:
            middle = start + length / 2 + length * steps
            first, last = middle - length * widened / 2, middle + length * widened / 2
            return self.address(start=stamp(first), to=stamp(last), cursor="", record="", live="")
        except OverflowError:
            return self.address()

    def moved_around(self, moment: datetime, minutes: float) -> dict[str, str]:
        """The range of so many minutes before and after."""
        reach = timedelta(minutes=minutes)
        return {"start": stamp(moment - reach), "to": stamp(moment + reach)}

    def shown_columns(self) -> tuple[str, ...]:
        """The columns beside time and severity, in order."""
        if not self.columns:
            return DEFAULT_COLUMNS
        named = [name.strip()[:120] for name in self.columns.split(",")]
        return tuple(dict.fromkeys(name for name in named if name))[:MOST_COLUMNS]

    def with_column(self, name: str) -> str:
        """The address with one column more (before the summary), or without it when it is there."""
        shown = list(self.shown_columns())
        if name in shown:
            shown.remove(name)
        elif shown and shown[-1] == "event":
            shown.insert(-1, name)
        else:
            shown.append(name)
        return self.address(columns=",".join(shown) or "event", live="")

    def with_column_moved(self, name: str, step: int) -> str:
        """The address with the column one place further left (-1) or right (1)."""
        shown = list(self.shown_columns())
        at = shown.index(name)
        shown.insert(max(0, at + step), shown.pop(at))
        return self.address(columns=",".join(shown))

    def with_term(self, field: str, value: str, *, without: bool = False) -> str:
        """The address that also asks for (or leaves out) one value of a field."""
        return self.with_clause(f"{'NOT ' if without else ''}{field_name(field)}:{quoted(value)}")

    def with_clause(self, clause: str) -> str:
        """The address that also asks for a clause, which stands beside what is asked so far."""
        if not self.q.strip():
            wider = clause
        elif " OR " in self.q:
            wider = f"({self.q.strip()}) AND {clause}"
        else:
            wider = f"{self.q.strip()} AND {clause}"
        return self.address(q=wider, cursor="", record="", around="")


def kept_search(one: SavedSearch) -> str:
    """The address of a search that was kept, shown as it was then."""
    shown = dict(parse_qsl(one.shown))
    return SearchState(
        *(one.query, one.start or DEFAULT_FROM, one.until),
        columns=shown.get("cols", ""),
        sort=shown.get("sort", ""),
        zone=shown.get("tz", ""),
        split=shown.get("split", ""),
    ).address()


def field_name(name: str) -> str:
    """A field's name as a filter takes it: what Lucene reads as its own is escaped."""
    return "".join(f"\\{letter}" if letter in _READ_BY_LUCENE else letter for letter in name)


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
    token = _TOKEN.match(text, at)
    end = token.end() if token else at
    return QueryFault(text[:at], text[at:end], text[end:], message)


def _readable(moment: str) -> str:
    """``2026-11-22T14:00:00.000Z`` as ``2026-11-22 14:00:00Z``."""
    return moment.replace("T", " ", 1).replace(".000", "") if moment[:1].isdigit() else moment
