"""Records come in: POST /api/v1/events answers only when they are durable."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.guard import House, needs
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.sources.seen_ids import key_of
from tocsin.model.principal import Permission, Principal
from tocsin.model.record import Framing, Unreadable
from tocsin.store.ports import Note

router = APIRouter(tags=["ingest"])
_SHOWN = 100
_PACE_S = 0.02
_LONGEST_PACE_S = 2.0
"""A flow that stands still (a full disk) holds no sender longer: its records are safe."""

Sender = Annotated[Principal, Depends(needs(Permission.EVENTS_INGEST))]


@router.post("/api/v1/events", summary="Send records")
async def take_events(
    request: Request,
    house: House,
    sender: Sender,
    source: Annotated[str, Query(max_length=200, description="Name of the source.")] = "",
    connector: Annotated[
        str | None, Query(description="Skip recognition: a connector's name.")
    ] = None,
    framing: Annotated[
        Framing, Query(description="How the body is cut into records.")
    ] = Framing.LINES,
    place: Annotated[str, Query(max_length=1000, description="Where the records were read.")] = "",
    first_ordinal: Annotated[int, Query(ge=1, description="Number of the first record.")] = 1,
    once: Annotated[
        str,
        Query(
            max_length=200,
            description="A name for this body: what comes again under it is not stored again, "
            "within duplicates.hours.",
        ),
    ] = "",
) -> dict[str, Any]:
    """NDJSON, a JSON array, CloudTrail ``Records`` or plain lines; gzip or zstd with Content-Encoding.

    Answers when the records are on disk: ``accepted`` will be stored; ``unreadable`` are kept in
    quarantine, each of ``problems`` with its line and reason.
    """
    limit = house.settings.http.body_limit_bytes
    body = await read_body(request, limit)
    address = request.client.host if request.client else "unknown"
    name = source or f"http/{sender.name}"
    where = place or f"http {address}"
    answer = await run_in_threadpool(
        _take_once, house, once, (body, name, connector, framing, where, first_ordinal)
    )
    await _paced(house)
    return answer


async def _paced(house: House) -> None:
    """Let a sender that is quicker than the flow wait: what it sends next is on time anyway."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_PACE_S):
            while house.decoding.is_behind:
                await asyncio.sleep(_PACE_S)


def _take_once(
    house: House, once: str, given: tuple[bytes, str, str | None, Framing, str, int]
) -> dict[str, Any]:
    if not once:
        return _take(house, *given)
    key = key_of(b"once", given[1].encode(), once.encode())
    with house.seen_ids.claiming() as claim:
        if claim.known([key]):
            position = house.spool.committed()
            return {"accepted": 0, "unreadable": 0, "problems": [], "position": position}
        claim.fresh = [key]
        return _take(house, *given, note=claim)


def _take(
    house: House,
    body: bytes,
    source: str,
    connector: str | None,
    framing: Framing,
    place: str,
    first_ordinal: int,
    note: Note | None = None,
) -> dict[str, Any]:
    batches = split_lines(
        body,
        source,
        datetime.now(UTC),
        place=place,
        connector=connector,
        framing=framing,
        first_ordinal=first_ordinal,
    )
    accepted = 0
    problems = []
    try:
        for batch in batches:
            records, unreadable = house.decoding.look(batch)
            accepted += records
            problems.extend(unreadable)
        position = house.keep(batches, note) if batches else house.spool.committed()
    except BaseException:
        house.decoding.forget(batches)
        raise
    return {
        "accepted": accepted,
        "unreadable": len(problems),
        "problems": [
            {"place": item.place, "record": item.ordinal, "reason": item.reason}
            for item in problems[:_SHOWN]
        ],
        "position": position,
    }


@router.post("/api/v1/quarantine", summary="Hand in a record that could not be read")
async def keep_unreadable(
    request: Request,
    house: House,
    sender: Sender,
    source: Annotated[str, Query(max_length=200)],
    place: Annotated[str, Query(max_length=1000)],
    reason: Annotated[str, Query(max_length=2000)],
    ordinal: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """For readers of files: the part of a file that is damaged is kept with its reason."""
    payload = await read_body(request, house.settings.http.body_limit_bytes)
    item = Unreadable(source, place, ordinal, f"{reason} (handed in by {sender.name})", payload)
    await run_in_threadpool(house.flow.add_unreadable, [item])
    return {"kept": 1}
