"""Search: any question of any event, its histogram, its most frequent values, and one record."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse, Response, StreamingResponse

from tocsin.app.plain import as_json
from tocsin.app.saved_searches import SavedSearches
from tocsin.console import fields
from tocsin.console.display import flatten, stamp, visible
from tocsin.console.histogram import Histogram, draw, tick_label
from tocsin.console.panes import Pane, attempt, failed
from tocsin.console.search_state import DEFAULT_FROM, PRESETS, QueryFault, SearchState, fault_in
from tocsin.console.visit import Missing, Needs, Visit
from tocsin.model.principal import Permission
from tocsin.store.ports import QueryError
from tocsin.store.query import EventPage, StoredEvent

router = APIRouter(prefix="/search")
Hunter = Annotated[Visit, Depends(Needs(Permission.EVENTS_SEARCH))]
PAGE_ROWS = 100
BARS = 72
EXPORT_ROWS = 100_000


def asked(
    q: Annotated[str, Query(max_length=8000)] = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = DEFAULT_FROM,
    to: Annotated[str, Query(max_length=40)] = "",
    cursor: str = "",
    record: str = "",
    view: str = "ocsf",
) -> SearchState:
    """The state of the search from its address."""
    return SearchState(q, start or DEFAULT_FROM, to, cursor, record, view)


Asked = Annotated[SearchState, Depends(asked)]


@dataclass(frozen=True, slots=True)
class RecordView:
    """One event with its fields made ready; ``text`` is the raw line where it was kept."""

    event: StoredEvent
    ocsf: list[tuple[str, object]]
    native: list[tuple[str, object]]
    text: str
    before: str
    after: str


@router.get("")
def search(visit: Hunter, query: Asked) -> Response:
    panel = attempt("The record", lambda: _record(visit, query)) if query.record else None
    if visit.asks_for("panel"):
        return visit.page("record_panel_part.html", query=query, panel=panel)
    fault: QueryFault | None = None
    results: Pane[EventPage] | None = None
    try:
        wanted = query.query(visit.now, PAGE_ROWS)
        results = Pane(visit.tocsin.events.search(wanted))
    except QueryError as error:
        fault = fault_in(query.q, str(error), error.at)
    except ValueError as error:
        fault = fault_in(query.q, f"The time range: {error}.", None)
    except Exception as error:
        results = failed("The results", error)
    histogram = (
        attempt("The histogram", lambda: _histogram(visit, query))
        if results is not None and results.value is not None
        else None
    )
    return visit.page(
        "search.html",
        query=query,
        fault=fault,
        results=results,
        histogram=histogram,
        panel=panel,
        saved=SavedSearches(visit.tocsin.state, visit.tocsin.audit).seen_by(visit.principal.name),
        presets=PRESETS,
        side_fields=fields.SIDE_FIELDS,
        open_fields=fields.OPEN_FIELDS,
        summary=fields.summary,
        tick_label=tick_label,
        short_host=fields.short_host,
    )


@router.get("/top")
def top(visit: Hunter, query: Asked, field: str) -> Response:
    """The most frequent values of one field among the events found."""
    values = attempt(
        "The values",
        lambda: visit.tocsin.events.top_values(query.query(visit.now), field[:200], 8),
    )
    return visit.page(
        "top_values.html", query=query, field=field, values=values, value_title=fields.value_title
    )


@router.get("/complete")
def complete(visit: Hunter, query: Asked, prefix: str = "", field: str = "") -> Response:
    """What may come next in the filter bar: field names, or values of a field."""
    if not field:
        found = [{"insert": name, "note": note} for name, note in fields.complete(prefix[:100])]
        return JSONResponse(found)
    wide = SearchState(f"{field}:{prefix}*" if prefix else f"{field}:*", query.start, query.to)
    try:
        values = visit.tocsin.events.top_values(wide.query(visit.now), field[:200], 10)
    except (QueryError, ValueError):
        return JSONResponse([])
    return JSONResponse(
        [{"insert": value.value, "note": f"{value.count:,}", "is_value": True} for value in values]
    )


@router.get("/export")
def export(visit: Hunter, query: Asked, kind: str = "ndjson") -> Response:
    """All events found (at most 100,000), as NDJSON with every field or CSV of the main ones."""
    try:
        first = visit.tocsin.events.search(query.query(visit.now, 1000))
    except (QueryError, ValueError) as error:
        raise Missing(f"The query can't be run: {error}") from error
    with visit.tocsin.state.begin() as tx:
        visit.note(tx, "events.export", kind, query.q[:1000])
    events = _all_events(visit, query, first)
    if kind == "csv":
        return _download(_csv(events), "text/csv; charset=utf-8", "events.csv")
    lines = (orjson.dumps(as_json(event)) + b"\n" for event in events)
    return _download(lines, "application/x-ndjson", "events.ndjson")


def _download(content: Iterator[bytes], kind: str, name: str) -> Response:
    return StreamingResponse(
        content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _all_events(visit: Visit, query: SearchState, page: EventPage) -> Iterator[StoredEvent]:
    given = 0
    while True:
        for event in page.events:
            yield event
            given += 1
            if given >= EXPORT_ROWS:
                return
        if not page.next_cursor:
            return
        following = SearchState(query.q, query.start, query.to, page.next_cursor)
        page = visit.tocsin.events.search(following.query(visit.now, 1000))


_CSV_COLUMNS = (
    "device.hostname",
    "user.name",
    "actor.user.name",
    "src_endpoint.ip",
    "dst_endpoint.ip",
    "process.cmd_line",
    "message",
)


def _csv(events: Iterator[StoredEvent]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["time", "event_id", "source", "lane", "severity_id", *_CSV_COLUMNS])
    for event in events:
        row: list[Any] = [event.time.isoformat(), event.event_id, event.source, event.lane]
        row += [event.ocsf.get(name, "") for name in ("severity_id", *_CSV_COLUMNS)]
        writer.writerow([_harmless(value) for value in row])
        if buffer.tell() > 64_000:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _harmless(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _histogram(visit: Visit, query: SearchState) -> Histogram:
    wanted = SearchState(query.q, query.start, query.to).query(visit.now)
    return draw(visit.tocsin.events.histogram(wanted, BARS))


def _record(visit: Visit, query: SearchState) -> RecordView:
    event = visit.tocsin.events.get(query.record)
    if event is None:
        raise Missing(f"There is no event {query.record[:80]} in the store any more.")
    text = event.raw.decode("utf-8", "backslashreplace") if event.raw is not None else ""
    return RecordView(
        event=event,
        ocsf=sorted(flatten(event.ocsf)),
        native=flatten(event.native),
        text=visible(text, 65536) or _rebuilt(event),
        before=_moment(event.time, -300),
        after=_moment(event.time, 300),
    )


def _rebuilt(event: StoredEvent) -> str:
    return orjson.dumps(as_json(event.native), option=orjson.OPT_INDENT_2).decode()


def _moment(time: datetime, shift_s: float) -> str:
    return stamp(time + timedelta(seconds=shift_s))
