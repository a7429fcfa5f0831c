"""The events of a search as a file: NDJSON, CSV or Parquet."""

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import AskedExport, begin_export, note_export
from tocsin.console.search_asked import Asked, ExportTurn, Hunter
from tocsin.console.search_columns import SUMMARY
from tocsin.console.search_state import SearchState
from tocsin.console.visit import Missing
from tocsin.store.ports import StoreError

router = APIRouter(prefix="/search")


@router.get("/export")
def export(
    visit: Hunter,
    query: Asked,
    turn: ExportTurn,
    kind: ExportFormat = ExportFormat.NDJSON,
) -> Response:
    """All events found: with every field, or as a table of the columns that are shown."""
    columns = _shown(query) if kind is ExportFormat.CSV else ()
    try:
        asked = AskedExport(query.query(visit.now), kind, kind.columns(columns))
        begun = begin_export(visit.tocsin.searching.exports, asked, turn)
    except (StoreError, ValueError) as error:
        raise Missing(f"The search can't be exported: {error}") from error
    note_export(
        *(visit.tocsin.state, visit.tocsin.audit),
        how=kind.value,
        text=query.q,
        by=visit.principal.name,
        now=visit.now,
    )
    headers = {"content-disposition": f'attachment; filename="events.{kind.value}"'}
    return StreamingResponse(begun.pieces, media_type=kind.media_type, headers=headers)


def _shown(query: SearchState) -> tuple[str, ...]:
    """The columns chosen, if any are, with what tells one event from another."""
    if not query.columns:
        return ()
    chosen = ["message" if name == SUMMARY else name for name in query.shown_columns()]
    return ("time", "event_id", *chosen)
