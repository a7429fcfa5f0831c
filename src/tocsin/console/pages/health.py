"""Health: one large page to leave open on a wall; it refreshes itself and says when it can't."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.health_now import HealthNow, SourceHealth, health_now
from tocsin.console.health_tiles import health_tiles, kind_of
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Visit
from tocsin.model.principal import Permission

router = APIRouter(prefix="/health")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
TROUBLES = 6
CELLS = 60
"""What fits on a screen of 1920 by 1080 without scrolling."""


@router.get("")
def health(visit: Reader, every: int = 10) -> Response:
    """``every`` is the time between refreshes in s, 1 to 300."""
    tocsin = visit.tocsin
    found = attempt("The health of the platform", lambda: health_now(tocsin, visit.now))
    cells = _cells(found.value) if found.value else []
    return visit.page(
        "health.html",
        health=found,
        every=min(max(every, 1), 300),
        tiles=health_tiles(found.value, tocsin.flow.error or "", len(tocsin.ruleset.all_rules()))
        if found.value
        else [],
        troubles=found.value.troubles[:TROUBLES] if found.value else [],
        more=max(0, len(found.value.troubles) - TROUBLES) if found.value else 0,
        cells=cells[:CELLS],
        more_cells=max(0, len(cells) - CELLS),
        kind_of=kind_of,
    )


def _cells(found: HealthNow) -> list[SourceHealth]:
    """The sick first, then by name."""
    return sorted(
        found.sources,
        key=lambda one: (-(one.worst.rank if one.worst else -1), one.ledger.name.lower()),
    )
