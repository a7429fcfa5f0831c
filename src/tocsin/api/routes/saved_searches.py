"""Searches kept under a name: list, keep, forget."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json
from tocsin.app.searches.saved_searches import (
    LONGEST_NAME,
    LONGEST_VIEW,
    SavedSearchError,
    SavedSearches,
)
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/searches", tags=["search"])

Hunter = Annotated[Principal, Depends(needs(Permission.EVENTS_SEARCH))]


class WantedSearch(BaseModel):
    """A search to keep; ``from`` and ``to`` as people write them: ISO times, ``now-4h``, ``all``."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=LONGEST_NAME)
    query: str = Field("", max_length=8000, description="Lucene filter; empty is everything.")
    start: str = Field("", max_length=40, alias="from")
    until: str = Field("", max_length=40, alias="to")
    is_shared: bool = Field(False, description="Everyone who may search sees it.")
    shown: str = Field(
        "", max_length=LONGEST_VIEW, description="How: cols=user%2Chost&sort=oldest&tz=Europe/Oslo."
    )


@router.get("", summary="List saved searches")
def searches(house: House, hunter: Hunter) -> dict[str, Any]:
    """One's own and the shared ones, by name."""
    return {"searches": as_json(SavedSearches(house.state, house.audit).seen_by(hunter.name))}


@router.post("", summary="Keep a search", status_code=201)
def keep(house: House, wanted: WantedSearch, hunter: Hunter) -> dict[str, Any]:
    """One's own of the same name is replaced."""
    try:
        kept = SavedSearches(house.state, house.audit).keep(
            *(wanted.name, wanted.query, wanted.start, wanted.until),
            by=hunter.name,
            now=datetime.now(UTC),
            is_shared=wanted.is_shared,
            shown=wanted.shown,
        )
    except SavedSearchError as error:
        raise Problem(400, "The search can't be kept", str(error)) from error
    return dict(as_json(kept))


@router.delete("/{search_id}", summary="Forget a saved search")
def forget(house: House, search_id: str, hunter: Hunter) -> dict[str, Any]:
    """Only who keeps it can."""
    try:
        gone = SavedSearches(house.state, house.audit).remove(
            search_id, by=hunter.name, now=datetime.now(UTC)
        )
    except SavedSearchError as error:
        raise Problem(404, "Nothing was removed", str(error)) from error
    return dict(as_json(gone))
