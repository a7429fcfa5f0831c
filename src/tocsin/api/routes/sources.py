"""Sources, their ledgers and what could not be read."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json, page_json
from tocsin.app.senders.quarantine_replay import MOST_RECORDS
from tocsin.app.senders.source_ledgers import source_ledgers
from tocsin.app.source_owner import own_source
from tocsin.ingest.errors import IngestError
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


class WantedRecognition(BaseModel):
    """Which stored events of unknown format to map again, and behind which one to go on."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = Field(None, max_length=300, description="Only this source.")
    since: AwareDatetime | None = Field(None, description="Only what was taken in since then.")
    after: str = Field("", max_length=64, description="next_after of the answer before.")


class WantedOwner(BaseModel):
    """Who looks after a source; an empty ``owner`` is nobody."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=300)
    owner: str = Field(max_length=200)


@router.get("", summary="List sources")
def sources(house: House) -> dict[str, Any]:
    """Every sender with its counts: received = stored + quarantined + duplicates + waiting.

    ``waiting_bytes`` is what the spool holds; ``is_whole`` is false while so much waits that not
    all of it is counted. ``ahead`` and ``late`` count events whose clock was ahead of ours, or
    that came over an hour late; ``dropped`` is what the kernel dropped of a listener, and
    ``tls_refused`` counts connections to one on which no TLS came about.
    """
    now = datetime.now(UTC)
    found = source_ledgers(house.state, house.sources, house.spool, now, house.intakes())
    return {
        "sources": as_json(found.ledgers),
        "waiting_bytes": found.waiting_bytes,
        "is_whole": found.is_whole,
    }


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


@router.post("/owner", summary="Say who looks after a source")
def set_owner(house: House, wanted: WantedOwner, by: Writer) -> dict[str, Any]:
    """Troubles of the source open tasks for its owner from now on."""
    try:
        own_source(house, wanted.source, wanted.owner, by=by.name, now=datetime.now(UTC))
    except IngestError as error:
        raise Problem(404, "No such source", str(error)) from error
    return {"source": wanted.source, "owner": wanted.owner.strip()}


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


@router.post("/recognize", summary="Map events of unknown format again")
def recognize(house: House, wanted: WantedRecognition, by: Writer) -> dict[str, Any]:
    """What a mapping knows by now moves to its lane, under the id it had, and rules look at it.

    One call tries one segment of the store: go on with ``next_after`` until it is null.
    """
    done = house.unknown.go(
        by=by.name,
        now=datetime.now(UTC),
        after=wanted.after,
        source=wanted.source,
        since=wanted.since,
    )
    return done.as_json()
