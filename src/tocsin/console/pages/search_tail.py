"""The live tail of a search: what has come in since the page last asked."""

from dataclasses import replace
from datetime import datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.app.moment import parse_moment
from tocsin.console import search_columns
from tocsin.console.display import stamp
from tocsin.console.search_asked import Asked, Hunter, Turn
from tocsin.console.visit import Missing
from tocsin.store.ports import QueryError

router = APIRouter(prefix="/search")
MOST_ROWS = 100
"""Rows given at once; what came beyond them is counted."""
OVERLAP = timedelta(seconds=3)
"""Records of several doors may be stored a little out of the order they came in."""


@router.get("/tail")
def tail(visit: Hunter, turn: Turn, query: Asked, after: str = "") -> Response:
    """Events taken in after ``after``, newest first; the page knows those it has already."""
    columns = query.shown_columns()
    try:
        since = parse_moment(after, visit.now) - OVERLAP if after else _start(visit.now)
        wanted = replace(query, cursor="", sort="", to="").query(visit.now, MOST_ROWS)
        fresh = f'ingested_at:["{since.isoformat()}" TO *]'
        text = f"({wanted.text}) AND {fresh}" if wanted.text.strip() else fresh
        page = search_columns.listed(visit.tocsin.events, replace(wanted, text=text), columns, turn)
    except (QueryError, ValueError, OverflowError) as error:
        raise Missing(f"The query can't be followed: {error}") from error
    newest = max((event.ingested_at for event in page.events), default=None)
    return visit.page(
        "search_tail.html",
        query=query,
        rows=[search_columns.row(event, columns) for event in page.events],
        mark=stamp(newest) if newest else after or stamp(visit.now),
        skipped=page.total - len(page.events),
    )


def _start(now: datetime) -> datetime:
    return now - timedelta(minutes=1)
