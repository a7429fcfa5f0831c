"""What is wrong with a filter, or may be meant otherwise, while it is typed."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.console.search_asked import Asked, Hunter
from tocsin.console.search_state import QueryFault, SearchState, fault_in
from tocsin.console.visit import Visit
from tocsin.store.filter_hints import filter_hints
from tocsin.store.ports import QueryError
from tocsin.store.query import EventQuery

router = APIRouter(prefix="/search")
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
"""A minute in which nothing happens: what is asked of it is read, and nothing is looked for."""


@router.get("/check")
def check(visit: Hunter, query: Asked) -> Response:
    """The fault under its token, else how the filter may be meant; nothing where all is well."""
    fault = _fault(visit, query)
    return visit.page(
        "search_check.html",
        query=query,
        fault=fault,
        is_unfinished=fault is not None and len(fault.before) >= len(query.q.rstrip()),
        hints=[] if fault else filter_hints(query.q, visit.tocsin.events.field_names),
    )


def _fault(visit: Visit, query: SearchState) -> QueryFault | None:
    asked = EventQuery(query.q, _END_OF_TIME, _END_OF_TIME + timedelta(seconds=1), size=0)
    try:
        visit.tocsin.events.search(asked)
    except QueryError as error:
        return fault_in(query.q, str(error), error.at)
    return None
