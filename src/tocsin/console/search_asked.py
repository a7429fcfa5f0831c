"""What every route of the Search page depends on: a hunter, a turn, and the search from its address."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query

from tocsin.console.search_state import DEFAULT_FROM, SearchState
from tocsin.console.visit import Needs, Visit
from tocsin.model.principal import Permission
from tocsin.store.stop_signal import StopSignal

Hunter = Annotated[Visit, Depends(Needs(Permission.EVENTS_SEARCH))]
Name = Annotated[str, Query(max_length=60)]


def asked(
    q: Annotated[str, Query(max_length=8000)] = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = DEFAULT_FROM,
    to: Annotated[str, Query(max_length=40)] = "",
    cursor: str = "",
    record: str = "",
    view: Name = "ocsf",
    cols: Annotated[str, Query(max_length=2500)] = "",
    sort: Name = "",
    tz: Name = "",
    around: Name = "",
    live: Name = "",
    split: Annotated[str, Query(max_length=200)] = "",
) -> SearchState:
    """The state of the search from its address."""
    return SearchState(
        *(q, start or DEFAULT_FROM, to, cursor, record, view or "ocsf"),
        columns=cols,
        sort="oldest" if sort == "oldest" else "",
        zone=tz,
        around=around,
        live="1" if live else "",
        split=split.strip(),
    )


Asked = Annotated[SearchState, Depends(asked)]


async def _turn(visit: Hunter) -> AsyncIterator[StopSignal]:
    turns = visit.tocsin.searching.turns
    async with turns.turn(visit.principal.name, visit.request.is_disconnected) as stop:
        yield stop


Turn = Annotated[StopSignal, Depends(_turn)]
"""Stops the search when its time is up or the browser has gone."""


async def _export_turn(visit: Hunter) -> AsyncIterator[StopSignal]:
    turns = visit.tocsin.searching.export_turns
    async with turns.turn(visit.principal.name, visit.request.is_disconnected) as stop:
        yield stop


ExportTurn = Annotated[StopSignal, Depends(_export_turn)]
"""As ``Turn``, for what gives everything: it is held until the last byte is sent."""
