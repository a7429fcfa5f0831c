"""All events of a search, or rows of SQL, as a file: CSV, NDJSON or Parquet."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from tocsin.api.guard import House
from tocsin.api.routes.search import From, SqlQuestion, Text, To, event_query
from tocsin.api.search_turn import ExportTurn, Searcher, may_search
from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import AskedExport, Export, begin_export, note_export
from tocsin.app.searches.sql_export import AskedSqlExport, begin_sql_export

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
    """Every event that matches, as they were stored when it began, newest first.

    The headers ``x-tocsin-total`` and ``x-tocsin-problems`` say how many events there are and
    which segments can't be read. When the answer breaks off, it is not whole.
    """
    asked_columns = [name for part in columns.split(",") if (name := part.strip())]
    asked = AskedExport(event_query(q, start, to), how, how.columns(asked_columns))
    begun = begin_export(house.searching.exports, asked, turn)
    now = datetime.now(UTC)
    note_export(house.state, house.audit, how=how.value, text=q, by=by.name, now=now)
    return _streamed(begun, how, "events", **{"x-tocsin-total": str(begun.total)})


@router.post("/sql/export", summary="Export what SQL gives", response_class=StreamingResponse)
def export_sql(
    house: House,
    by: Searcher,
    turn: ExportTurn,
    question: SqlQuestion,
    how: Annotated[ExportFormat, Query(alias="format")] = ExportFormat.NDJSON,
) -> StreamingResponse:
    """Every row of one SELECT over ``events``, whatever its ``size`` says.

    The header ``x-tocsin-problems`` says which segments can't be read. When the answer breaks
    off, it is not whole.
    """
    asked = AskedSqlExport(question.sql, how, question.within)
    begun = begin_sql_export(house.searching.exports, asked, turn)
    told, now = f"sql {how.value}", datetime.now(UTC)
    note_export(house.state, house.audit, how=told, text=question.sql, by=by.name, now=now)
    return _streamed(begun, how, "rows")


def _streamed(begun: Export, how: ExportFormat, name: str, **more: str) -> StreamingResponse:
    headers = {
        "content-disposition": f'attachment; filename="{name}.{how.value}"',
        "x-tocsin-problems": quote("; ".join(begun.problems), safe=" ;:,()/"),
        **more,
    }
    return StreamingResponse(begun.pieces, media_type=how.media_type, headers=headers)
