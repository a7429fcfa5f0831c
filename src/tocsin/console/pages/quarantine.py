"""Quarantine: records that can't be read, whole, each with the reason and where it came from."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.beside import beside
from tocsin.console.display import visible
from tocsin.console.paging import PAGE_ROWS
from tocsin.console.panes import attempt
from tocsin.console.visit import Missing, Needs, Visit, with_query
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.source import QuarantinedRecord

router = APIRouter(prefix="/sources/quarantine")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.SOURCES_WRITE))]
MOST_GOES = 5
"""Parts of the quarantine one press of the button tries."""
SHOWN_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class QuarantineState:
    """What the address holds; ``open`` is the record in the panel."""

    source: str = ""
    cursor: str = ""
    open: str = ""

    def address(self, **changes: str) -> str:
        query = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        return with_query("/sources/quarantine", query)


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One record with its bytes as text in which nothing hides."""

    record: QuarantinedRecord
    text: str
    is_cut: bool


@router.get("")
def quarantine(visit: Reader, query: Annotated[QuarantineState, Depends()]) -> Response:
    tocsin = visit.tocsin

    def read() -> Page[QuarantinedRecord]:
        with tocsin.state.read() as tx:
            return tocsin.sources.quarantined(
                tx, source=query.source or None, cursor=query.cursor or None, size=PAGE_ROWS
            )

    records = attempt("The quarantine", read)
    rows = records.value.items if records.value else ()

    def kept(record_id: str) -> KeptRecord:
        record = next((one for one in rows if one.id == record_id), None)
        if record is None:
            raise Missing("This record is not on this page of the quarantine any more.")
        payload = tocsin.blobs.get(record.digest)
        if payload is None:
            raise Missing(
                f"The bytes of this record ({record.digest[:12]}…) are not kept any more."
            )
        text = payload[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
        return KeptRecord(record, visible(text, SHOWN_BYTES), len(payload) > SHOWN_BYTES)

    panel = beside(query, "open", [one.id for one in rows], "The record", kept)
    if visit.asks_for("panel"):
        return visit.page("quarantine_panel_part.html", **panel)
    return visit.page("quarantine.html", **panel, records=records)


@router.post("/replay")
def replay(visit: Writer) -> Response:
    """Try the records again, oldest first; what can be read now is stored and leaves."""
    source = visit.text("source") or None
    after, tried, stored = visit.text("after", limit=64), 0, 0
    for _ in range(MOST_GOES):
        done = visit.tocsin.replay.go(
            by=visit.principal.name, now=visit.now, after=after, source=source
        )
        tried, stored = tried + done.tried, stored + done.stored
        if done.next_after is None:
            break
        after = done.next_after
    told = f"{tried:,} tried again: {stored:,} stored, {tried - stored:,} still can't be read"
    left = visit.tocsin.replay.waiting(source) - (tried - stored)
    rest = f"; {left:,} more were not tried yet" if left > 0 else ""
    return visit.done(f"{told}{rest}.", kind="good" if stored or not tried else "bad")
