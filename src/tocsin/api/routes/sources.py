"""Sources, their ledgers and what could not be read."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.app.plain import as_json, page_json
from tocsin.app.quarantine_replay import MOST_RECORDS
from tocsin.model.principal import Permission, Principal

router = APIRouter(
    prefix="/api/v1/sources",
    tags=["sources"],
    dependencies=[Depends(needs(Permission.SOURCES_READ))],
)

Writer = Annotated[Principal, Depends(needs(Permission.SOURCES_WRITE))]


class WantedReplay(BaseModel):
    """Which quarantined records to try again, and behind which one to go on."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = Field(None, max_length=300, description="Only this source.")
    since: AwareDatetime | None = Field(None, description="Only what was taken in since then.")
    after: str = Field("", max_length=64, description="next_after of the answer before.")
    size: int = Field(MOST_RECORDS, ge=1, le=MOST_RECORDS)


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


@router.post("/replay", summary="Try quarantined records again")
def replay(house: House, wanted: WantedReplay, by: Writer) -> dict[str, Any]:
    """Decode once more, oldest first; what can be read now is stored and leaves the quarantine.

    One call tries up to ``size`` records: go on with ``next_after`` until it is null. ``left`` is
    what is in quarantine after this call; ``reasons`` say why records stay, with how many do.
    """
    done = house.replay.go(
        by=by.name,
        now=datetime.now(UTC),
        after=wanted.after,
        source=wanted.source,
        since=wanted.since,
        size=wanted.size,
    )
    return done.as_json(house.replay.waiting(wanted.source, wanted.since))
