"""Search: any question of any event, its histogram, its most frequent values, and one record."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tocsin.app.plain import as_json
from tocsin.app.saved_searches import SavedSearches
from tocsin.console import fields
from tocsin.console.display import flatten, stamp, visible
from tocsin.console.histogram import Histogram, draw, tick_label
from tocsin.console.panes import Pane, attempt, failed
from tocsin.console.search_asked import Asked, Hunter
from tocsin.console.search_state import PRESETS, QueryFault, SearchState, fault_in
from tocsin.console.visit import Missing, Visit
from tocsin.store.ports import QueryError
from tocsin.store.query import EventPage, StoredEvent

router = APIRouter(prefix="/search")
PAGE_ROWS = 100
BARS = 72


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
