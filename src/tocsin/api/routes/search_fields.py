"""The fields of what a search finds: which there are and how often, and statistics of one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from tocsin.api.guard import House
from tocsin.api.routes.search import From, Text, To, event_query
from tocsin.api.search_turn import Turn, may_search
from tocsin.app.plain import as_json
from tocsin.app.searches.field_shares import SAMPLE, field_shares
from tocsin.store.query import QUANTILES

router = APIRouter(prefix="/api/v1/search", tags=["search"], dependencies=[Depends(may_search)])


@router.get("/fields", summary="Fields of the events found")
def fields(
    house: House,
    turn: Turn,
    q: Text = "",
    start: From = None,
    to: To = None,
    sample: Annotated[int, Query(ge=1, le=5000)] = SAMPLE,
) -> dict[str, Any]:
    """Every field the newest ``sample`` events found have, with the share that has it."""
    return dict(as_json(field_shares(house.events, event_query(q, start, to), turn, sample)))


@router.get("/statistics", summary="Statistics of a field")
def statistics(
    house: House,
    turn: Turn,
    field: str,
    q: Text = "",
    start: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Events that have it, distinct values, extremes, first and last time.

    When every value is a number, ``quantiles`` has those at ``quantile_shares``.
    """
    told = house.events.statistics(event_query(q, start, to), field, turn)
    return {**as_json(told), "quantile_shares": QUANTILES}
