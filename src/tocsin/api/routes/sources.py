"""Sources, their ledgers and what could not be read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from tocsin.api.guard import House, needs
from tocsin.app.plain import as_json, page_json
from tocsin.model.principal import Permission

router = APIRouter(
    prefix="/api/v1/sources",
    tags=["sources"],
    dependencies=[Depends(needs(Permission.SOURCES_READ))],
)


@router.get("", summary="List sources")
def sources(house: House) -> dict[str, Any]:
    """Every sender with the counts of what it sent; ``waiting_bytes`` is what the spool holds."""
    with house.state.read() as tx:
        ledgers = house.sources.sources(tx)
    return {"sources": as_json(ledgers), "waiting_bytes": house.spool.backlog_bytes()}


@router.get("/quarantine", summary="Records that could not be read")
def quarantine(
    house: House,
    source: str | None = None,
    cursor: str | None = None,
    size: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> dict[str, Any]:
    """Each with its place, reason and the digest under which its bytes are kept."""
    with house.state.read() as tx:
        return page_json(
            "records", house.sources.quarantined(tx, source=source, cursor=cursor, size=size)
        )
