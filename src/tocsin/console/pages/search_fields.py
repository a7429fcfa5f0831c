"""The fields of a search: which there are, their most frequent values, statistics, completion."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tocsin.app.searches.field_shares import field_shares
from tocsin.console import fields
from tocsin.console.panes import attempt
from tocsin.console.search_asked import Asked, Hunter, Turn
from tocsin.console.search_state import SearchState, field_name
from tocsin.console.visit import Visit
from tocsin.store.lucene import escaped
from tocsin.store.ports import QueryError
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search")
_VALUES = 10


@router.get("/fields")
def field_list(visit: Hunter, turn: Turn, query: Asked) -> Response:
    """Every field the events found have, with the share of events that have it."""
    found = attempt(
        "The fields", lambda: field_shares(visit.tocsin.events, query.query(visit.now), turn)
    )
    return visit.page("search_fields.html", query=query, found=found)


@router.get("/top")
def top(visit: Hunter, turn: Turn, query: Asked, field: str, of: int = 0) -> Response:
    """The most frequent values of one field among the events found, ``of`` how many."""
    events = visit.tocsin.events
    values = attempt(
        "The values",
        lambda: events.top_values(query.query(visit.now), field[:200], _VALUES, turn),
    )
    return visit.page(
        "top_values.html",
        query=query,
        field=field[:200],
        of=of,
        values=values,
        field_name=field_name,
    )


@router.get("/statistics")
def statistics(visit: Hunter, turn: Turn, query: Asked, field: str) -> Response:
    """Presence, distinct values, extremes and times of one field among the events found."""
    events = visit.tocsin.events
    told = attempt(
        "The statistics", lambda: events.statistics(query.query(visit.now), field[:200], turn)
    )
    return visit.page("field_statistics.html", query=query, field=field[:200], told=told)


@router.get("/complete")
def complete(
    visit: Hunter,
    turn: Turn,
    query: Asked,
    prefix: str = "",
    field: str = "",
    lanes: str = "",
) -> Response:
    """What may come next in the filter bar: field names, or values of a field."""
    if not field:
        at_hand = frozenset(lanes.split(",")) if lanes else None
        names = visit.tocsin.events.field_names(at_hand)
        found = [
            {"insert": field_name(name), "note": note}
            for name, note in fields.complete(prefix[:100], names)
        ]
        return JSONResponse(found)
    name = field[:200].replace("\\", "")
    values = frequent_values(visit, turn, query, name, prefix[:200])
    return JSONResponse([{**value, "is_value": True} for value in values])


def frequent_values(
    visit: Visit, turn: StopSignal, within: SearchState, field: str, part: str
) -> list[dict[str, str]]:
    """The most frequent values of a field that hold ``part``, in the range; none without one."""
    wanted = f"*{escaped(part)}*" if part else "*"
    wide = replace(within, q=f"{field_name(field)}:{wanted}", cursor="")
    try:
        values = visit.tocsin.events.top_values(wide.query(visit.now), field, _VALUES, turn)
    except (QueryError, ValueError):
        return []
    return [{"insert": one.value, "note": _note(field, one.value, one.count)} for one in values]


def _note(field: str, value: str, count: int) -> str:
    title = fields.value_title(field, value)
    return f"{count:,}" if title == value else f"{title}, {count:,}"
