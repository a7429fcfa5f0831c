"""The histogram of a search, and the same numbers as a table."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.app.searches.split_histogram import split_histogram
from tocsin.console import fields
from tocsin.console.histogram import Histogram, draw, draw_split, tick_label
from tocsin.console.panes import attempt
from tocsin.console.search_asked import Asked, Hunter, Turn
from tocsin.console.search_state import SearchState, field_name
from tocsin.console.visit import Visit
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search")
BARS = 72


@router.get("/over-time")
def over_time(visit: Hunter, turn: Turn, query: Asked) -> Response:
    """How many events there were in each span, by severity or the field that splits them."""
    chart = attempt("The histogram", lambda: histogram(visit, query, turn))
    return visit.page("search_over_time.html", query=query, chart=chart)


@router.get("/histogram")
def split(visit: Hunter, turn: Turn, query: Asked, of: int = 0) -> Response:
    """The bars split by a field, which take several looks: the page does not wait for them."""
    chart = attempt("The histogram", lambda: histogram(visit, query, turn))
    return visit.page(
        "search_histogram.html",
        query=query,
        histogram=chart,
        total=of,
        side_fields=fields.SIDE_FIELDS,
        tick_label=tick_label,
        field_name=field_name,
    )


def histogram(visit: Visit, query: SearchState, turn: StopSignal) -> Histogram:
    """As it is asked for."""
    if not query.split:
        return severities(visit, query, turn)
    asked = replace(query, cursor="").query(visit.now)
    return draw_split(split_histogram(visit.tocsin.events, asked, query.split, BARS, turn))


def severities(visit: Visit, query: SearchState, turn: StopSignal) -> Histogram:
    """Of all events found, not of the page that is shown."""
    asked = replace(query, cursor="").query(visit.now)
    return draw(visit.tocsin.events.histogram(asked, BARS, turn))
