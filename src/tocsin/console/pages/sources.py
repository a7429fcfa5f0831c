"""Sources: who sends what, whether the counts add up, who fell silent, and what can't be read."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Visit, with_query
from tocsin.ingest.silence import find_silent
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.source import QuarantinedRecord, SourceLedger

router = APIRouter(prefix="/sources")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]


@dataclass(frozen=True, slots=True)
class SourcesView:
    """The ledgers in order of trouble, which are silent, and their sums."""

    ledgers: list[SourceLedger]
    silent: dict[str, SourceLedger]
    received: int
    stored: int
    quarantined: int
    received_bytes: int
    backlog_bytes: int


@router.get("")
def sources(visit: Reader, q: str = "") -> Response:
    tocsin = visit.tocsin

    def read() -> SourcesView:
        with tocsin.state.read() as tx:
            everyone = tocsin.sources.sources(tx)
        silent = {ledger.name: ledger for ledger in find_silent(everyone, visit.now)}
        wanted = [ledger for ledger in everyone if q.lower() in ledger.name.lower()]
        wanted.sort(key=lambda one: (one.name not in silent, not one.quarantined, one.name))
        return SourcesView(
            ledgers=wanted,
            silent=silent,
            received=sum(one.received for one in everyone),
            stored=sum(one.stored for one in everyone),
            quarantined=sum(one.quarantined for one in everyone),
            received_bytes=sum(one.received_bytes for one in everyone),
            backlog_bytes=tocsin.spool.backlog_bytes(),
        )

    return visit.page("sources.html", view=attempt("The list of sources", read), q=q)


@router.get("/quarantine")
def quarantine(visit: Reader, source: str = "", cursor: str = "") -> Response:
    """Records that can't be read, each with where it came from and why."""
    tocsin = visit.tocsin

    def read() -> Page[QuarantinedRecord]:
        with tocsin.state.read() as tx:
            return tocsin.sources.quarantined(
                tx, source=source or None, cursor=cursor or None, size=50
            )

    records = attempt("The quarantine", read)
    after = records.value.next_cursor if records.value else None
    return visit.page(
        "quarantine.html",
        records=records,
        source=source,
        next_address=(
            with_query("/sources/quarantine", {"source": source, "cursor": after}) if after else ""
        ),
        first_address=with_query("/sources/quarantine", {"source": source}) if cursor else "",
    )
