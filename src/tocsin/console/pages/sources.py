"""Sources: who sends how much, how late, who fell silent, and what is not understood."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.health_now import HealthNow, SourceHealth, health_now, with_waiting, would_blind
from tocsin.console.paging import page_of
from tocsin.console.panes import attempt
from tocsin.console.source_list import SourcesState, health_counts
from tocsin.console.sparkline import Sparkline, sparkline
from tocsin.console.visit import Needs, Visit
from tocsin.ingest.sources.source_hours import with_usual
from tocsin.model.principal import Permission

router = APIRouter(prefix="/sources")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]


@router.get("")
def sources(visit: Reader, query: Annotated[SourcesState, Depends()]) -> Response:
    """What is sick comes first, each with its reason and how many rules it blinds."""
    tocsin = visit.tocsin
    health = attempt(
        "The list of sources",
        lambda: with_waiting(tocsin, health_now(tocsin, visit.now), visit.now),
    )
    everyone = health.value.sources if health.value else []
    found = query.chosen(everyone)
    page = page_of(found, query.cursor)
    rows = page.items
    blinded = attempt("What is blind", lambda: _blinded(visit, health.value, rows))
    return visit.page(
        "sources.html",
        query=query,
        error=health.error,
        everyone=everyone,
        rows=rows,
        page=page,
        blinded=blinded.value or {},
        pictures=_pictures(visit, rows),
        healths=health_counts(everyone),
        owners=sorted({one.owner for one in everyone if one.owner}),
        sums={
            name: sum(getattr(one.ledger, name) for one in everyone)
            for name in (
                "received",
                "stored",
                "quarantined",
                "duplicates",
                "waiting",
                "received_bytes",
            )
        },
        backlog_bytes=tocsin.spool.backlog_bytes(),
        key_of=_key,
    )


def _blinded(
    visit: Visit, health: HealthNow | None, rows: Sequence[SourceHealth]
) -> dict[tuple[str, str], int]:
    """How many rules see nothing because of each sick source."""
    if health is None:
        return {}
    ledgers = health.ledgers()
    return {
        _key(one): len(would_blind(visit.tocsin, one.ledger, ledgers).rules)
        for one in rows
        if one.troubles
    }


def _pictures(visit: Visit, rows: Sequence[SourceHealth]) -> dict[tuple[str, str], Sparkline]:
    """What each sent in 24 hours, before what is usual."""
    with visit.tocsin.state.read() as tx:
        hours = with_usual(tx, {_key(one): one.hours for one in rows})
    return {
        key: sparkline(
            [hour.events for hour in mine],
            [(hour.usual.low, hour.usual.high) if hour.usual else None for hour in mine],
        )
        for key, mine in hours.items()
    }


def _key(one: SourceHealth) -> tuple[str, str]:
    return one.ledger.tenant, one.ledger.name
