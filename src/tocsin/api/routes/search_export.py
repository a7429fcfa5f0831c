"""All events of a search as a file: CSV, NDJSON or Parquet."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from tocsin.api.guard import House
from tocsin.api.routes.search import From, Text, To, event_query
from tocsin.api.search_turn import ExportTurn, Searcher, may_search
from tocsin.app.event_export import ExportFormat
from tocsin.app.exports import AskedExport, begin_export, note_export

router = APIRouter(prefix="/api/v1/search", tags=["search"], dependencies=[Depends(may_search)])


@router.get("/export", summary="Export events", response_class=StreamingResponse)
def export(
    house: House,
    by: Searcher,
    turn: ExportTurn,
    how: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.NDJSON,
    q: Text = "",
    start: From = None,
    to: To = None,
    columns: Annotated[
        str, Query(max_length=8000, description="Fields, comma-separated; default: main or all.")
    ] = "",
) -> StreamingResponse:
    """Every event that matches, as they were stored when it began, in the order of the store.

    The headers ``x-tocsin-total`` and ``x-tocsin-problems`` say how many events there are and
    which segments can't be read. When the answer breaks off, it is not whole.
    """
    asked_columns = [name for part in columns.split(",") if (name := part.strip())]
    asked = AskedExport(event_query(q, start, to), how, how.columns(asked_columns))
    begun = begin_export(house.searching.exports, asked, turn)
    note_export(house.state, house.audit, asked, by=by.name, now=datetime.now(UTC))
    headers = {
        "content-disposition": f'attachment; filename="events.{how.value}"',
        "x-tocsin-total": str(begun.total),
        "x-tocsin-problems": quote("; ".join(begun.problems), safe=" ;:,()/"),
    }
    return StreamingResponse(begun.pieces, media_type=how.media_type, headers=headers)
