"""Searches kept under a name: keep the one on the page, forget one."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.searches.saved_searches import SavedSearchError, SavedSearches
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.model.principal import Permission
from tocsin.store.ports import QueryError

router = APIRouter(prefix="/search/saved")
Hunter = Annotated[Visit, Depends(Needs(Permission.EVENTS_SEARCH))]


@router.post("")
def keep(visit: Hunter) -> Response:
    """Keep the search under a name; one's own of that name is replaced."""
    searches = SavedSearches(visit.tocsin.state, visit.tocsin.audit)
    try:
        kept = searches.keep(
            visit.required("name", "the search a name"),
            *(visit.text("q"), visit.text("from"), visit.text("to")),
            by=visit.principal.name,
            now=visit.now,
            is_shared=bool(visit.text("shared")),
            shown=visit.text("shown"),
        )
    except (SavedSearchError, QueryError) as error:
        raise Refused(f"The search can't be kept: {error}.") from error
    return visit.done(f"Kept as “{kept.name}”{', for everyone' if kept.is_shared else ''}.")


@router.post("/forget")
def forget(visit: Hunter) -> Response:
    """Only who keeps it can."""
    searches = SavedSearches(visit.tocsin.state, visit.tocsin.audit)
    try:
        gone = searches.remove(
            visit.required("search", "a search"), by=visit.principal.name, now=visit.now
        )
    except SavedSearchError as error:
        raise Refused(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    return visit.done(f"“{gone.name}” is forgotten.")
