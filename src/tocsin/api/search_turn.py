"""A search's turn: routes that search wait here until theirs has come, off the pool of threads."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from tocsin.api.guard import House, needs
from tocsin.model.principal import Permission, Principal
from tocsin.store.stop_signal import StopSignal

may_search = needs(Permission.EVENTS_SEARCH)
Searcher = Annotated[Principal, Depends(may_search)]


async def _turn(request: Request, house: House, searcher: Searcher) -> AsyncIterator[StopSignal]:
    async with house.searching.turns.turn(searcher.name, request.is_disconnected) as stop:
        yield stop


async def _export_turn(
    request: Request, house: House, searcher: Searcher
) -> AsyncIterator[StopSignal]:
    async with house.searching.export_turns.turn(searcher.name, request.is_disconnected) as stop:
        yield stop


ExportTurn = Annotated[StopSignal, Depends(_export_turn)]
"""As ``Turn``, for what gives all events: it is held until the last byte is sent."""
Turn = Annotated[StopSignal, Depends(_turn)]
"""Stops the search when its time is up or the connection is closed."""
