"""Elasticsearch's way of taking documents in, for Beats, Logstash and all that speak it."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.elastic_reply import BulkRefused, BulkReply, reply, told_item
from tocsin.api.elastic_router import ElasticRouter
from tocsin.api.guard import House, sender
from tocsin.api.sender_route import sender_name
from tocsin.app.wiring import Tocsin
from tocsin.ingest.bodies.bulk_body import Action, Bulk, BulkFault, take_bulk, take_document
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.sources.seen_ids import Claim
from tocsin.model.principal import Principal
from tocsin.store.ports import StoreError

router = ElasticRouter()
Sender = Annotated[Principal, Depends(sender("apikey", "basic", "bearer"))]
_WRITE = ["POST", "PUT"]
FilterPath = Annotated[str, Query(max_length=1000, description="Parts of the answer wanted.")]


@router.at("/{index}/_bulk", _WRITE, "many documents")
@router.at("/_bulk", _WRITE, "many documents")
async def take_documents(
    request: Request, house: House, who: Sender, index: str = "", filter_path: FilterPath = ""
) -> Response:
    """Lines of actions (``index``, ``create``) and documents; answered item by item.

    201 says that a document is on disk; 400 that it could not be read and is in quarantine; 429
    and 503, of the whole and of each item, that nothing was taken in and is to be sent again.
    """
    began = time.perf_counter()
    body = await read_body(request, house.settings.http.body_limit_bytes)

    def take() -> bytes:
        with house.seen_ids.claiming() as claim:
            bulk = take_bulk(body, index, _maker(request, who), claim)
            if not bulk.actions:
                raise BulkFault("the request has no body; send actions and documents")
            try:
                position = _store(house, bulk, claim)
            except StoreError as error:
                raise BulkRefused(bulk.actions) from error
        took_ms = round((time.perf_counter() - began) * 1e3)
        return BulkReply(filter_path).written(bulk, position, took_ms)

    return reply(request, await run_in_threadpool(take))


@router.at("/{index}/_doc", ["POST"], "one document")
async def take_one(request: Request, house: House, who: Sender, index: str) -> Response:
    """A JSON object; 201 when it is on disk."""
    return await _take_one(request, house, who, Action("index", index, None))


@router.at("/{index}/_create/{id}", _WRITE, "one document")
async def create_one(request: Request, house: House, who: Sender, index: str, id: str) -> Response:
    """The same with an id of the sender's, kept as ``_id``; 409 when it has come before."""
    return await _take_one(request, house, who, Action("create", index, id))


@router.at("/{index}/_doc/{id}", _WRITE, "one document")
async def take_one_with_id(
    request: Request, house: House, who: Sender, index: str, id: str
) -> Response:
    """The same; 200 when it came before: stored once if it is the same, else as an event more."""
    return await _take_one(request, house, who, Action("index", index, id))


async def _take_one(request: Request, house: Tocsin, who: Principal, action: Action) -> Response:
    body = await read_body(request, house.settings.http.body_limit_bytes)

    def take() -> dict[str, Any]:
        with house.seen_ids.claiming() as claim:
            bulk = take_document(body, action, _maker(request, who), claim)
            return told_item(bulk, 0, _store(house, bulk, claim))

    told = await run_in_threadpool(take)
    return reply(request, told, told["status"])


def _maker(request: Request, who: Principal) -> Maker:
    address = request.client.host if request.client else "unknown"
    return Maker(f"elastic/{sender_name(who.name)}", f"elastic {address}", datetime.now(UTC))


def _store(house: Tocsin, bulk: Bulk, claim: Claim) -> int:
    position = house.keep(bulk.batches, claim) if bulk.batches else house.spool.committed()
    if bulk.repeated:
        with house.state.begin() as tx:
            for source, count in Counter(bulk.repeated.values()).items():
                house.sources.add_duplicates(tx, source, count, datetime.now(UTC))
    return position
