"""Feeds that firewalls poll: /feeds/blocklist.txt."""

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from tocsin.api.guard import House

router = APIRouter(tags=["feeds"])


@router.get("/feeds/blocklist.txt", summary="Addresses to block", response_class=PlainTextResponse)
def blocklist(house: House) -> PlainTextResponse:
    """An external dynamic list: one address or network a line; expired ones are never served."""
    return PlainTextResponse(
        house.blocklist.render(datetime.now(UTC)), headers={"Cache-Control": "no-store"}
    )
