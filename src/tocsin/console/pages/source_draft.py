"""A draft of a mapping for what a source sends and nobody knows, to copy and to finish."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.mapping_drafts import connector_name, draft_for
from tocsin.console.panes import attempt
from tocsin.console.visit import Forbidden, Needs, Visit, with_query
from tocsin.model.principal import Permission

router = APIRouter(prefix="/sources/draft")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.SOURCES_WRITE))]
QUARANTINE = "quarantine"
MOST_GOES = 5
"""Segments of the store one press of the button tries."""


@router.get("")
def draft(visit: Reader, name: str, of: str = "") -> Response:
    """``of`` is ``quarantine``, or empty for the stored events of unknown format."""
    if not visit.may(Permission.EVENTS_SEARCH.value):
        raise Forbidden("this takes the permission events:search, which none of your roles has")
    drafted = attempt(
        "The draft", lambda: draft_for(visit.tocsin, name, from_quarantine=of == QUARANTINE)
    )
    return visit.page(
        "source_draft.html",
        name=name,
        connector=connector_name(name),
        is_of_quarantine=of == QUARANTINE,
        drafted=drafted,
        unknown_address=with_query("/sources/draft", {"name": name}),
        quarantine_address=with_query("/sources/draft", {"name": name, "of": QUARANTINE}),
    )


@router.post("/recognize")
def recognize(visit: Writer) -> Response:
    """Map the stored events of unknown format again; what a mapping knows by now moves."""
    source = visit.required("source", "a source")
    after: str | None = ""
    tried = recognized = 0
    for _ in range(MOST_GOES):
        done = visit.tocsin.unknown.go(
            by=visit.principal.name, now=visit.now, after=after or "", source=source
        )
        tried, recognized, after = (
            tried + done.tried,
            recognized + done.recognized,
            done.next_after,
        )
        if after is None:
            break
    told = f"{tried:,} tried again: {recognized:,} recognized, {tried - recognized:,} still unknown"
    rest = "; there are more, press again" if after is not None and recognized else ""
    return visit.done(f"{told}{rest}.", kind="good" if recognized or not tried else "bad")
