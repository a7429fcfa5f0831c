"""Search: any question of any event, what was found over time, and the list of it."""

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.app.searches.saved_searches import SavedSearches
from tocsin.console import fields, search_columns
from tocsin.console.histogram import tick_label
from tocsin.console.pages.search_histogram import severities
from tocsin.console.pages.search_record import record_view
from tocsin.console.panes import Pane, attempt, failed
from tocsin.console.search_asked import Asked, Hunter, Turn
from tocsin.console.search_state import (
    PRESETS,
    QueryFault,
    SearchState,
    fault_in,
    field_name,
    kept_search,
)
from tocsin.store.filter_hints import filter_hints
from tocsin.store.lucene import beside_native
from tocsin.store.ports import QueryError
from tocsin.store.query import EventPage

router = APIRouter(prefix="/search")
PAGE_ROWS = 100


@router.get("")
def search(visit: Hunter, turn: Turn, query: Asked) -> Response:
    panel = attempt("The record", lambda: record_view(visit, query, turn)) if query.record else None
    if visit.asks_for("panel"):
        return visit.page("record_panel_part.html", query=query, panel=panel)
    columns = query.shown_columns()
    fault: QueryFault | None = None
    results: Pane[EventPage] | None = None
    try:
        wanted = query.query(visit.now, PAGE_ROWS)
        results = Pane(search_columns.listed(visit.tocsin.events, wanted, columns, turn))
    except QueryError as error:
        fault = fault_in(query.q, str(error), error.at)
    except ValueError as error:
        fault = fault_in(query.q, f"The time range: {error}.", None)
    except Exception as error:
        results = failed("The results", error)
    page = results.value if results is not None else None
    chart = attempt("The histogram", lambda: severities(visit, query, turn)) if page else None
    return visit.page(
        "search.html",
        query=query,
        fault=fault,
        results=results,
        rows=[search_columns.row(event, columns) for event in page.events] if page else [],
        columns=columns,
        column_title=search_columns.title,
        histogram=chart,
        panel=panel,
        saved=SavedSearches(visit.tocsin.state, visit.tocsin.audit).seen_by(visit.principal.name),
        kept_search=kept_search,
        presets=PRESETS,
        side_fields=fields.SIDE_FIELDS,
        open_fields=fields.OPEN_FIELDS,
        tick_label=tick_label,
        field_name=field_name,
        beside_native=_beside_native(query) if page else "",
        hints=filter_hints(query.q, visit.tocsin.events.field_names),
        mark=max((event.ingested_at for event in page.events), default=None) if page else None,
    )


def _beside_native(query: SearchState) -> str:
    """The same question that also looks for its words in native fields; "" when it has none."""
    wider = beside_native(query.q)
    return "" if wider == query.q else wider
