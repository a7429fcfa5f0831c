"""The events of a search as a file: NDJSON with every field, or CSV of the main ones."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from tocsin.app.plain import as_json
from tocsin.console.search_asked import Asked, Hunter
from tocsin.console.search_state import SearchState
from tocsin.console.visit import Missing, Visit
from tocsin.store.ports import QueryError
from tocsin.store.query import EventPage, StoredEvent

router = APIRouter(prefix="/search")
EXPORT_ROWS = 100_000


@router.get("/export")
def export(visit: Hunter, query: Asked, kind: str = "ndjson") -> Response:
    """All events found (at most 100,000), as NDJSON with every field or CSV of the main ones."""
    try:
        first = visit.tocsin.events.search(query.query(visit.now, 1000))
    except (QueryError, ValueError) as error:
        raise Missing(f"The query can't be run: {error}") from error
    with visit.tocsin.state.begin() as tx:
        visit.note(tx, "events.export", kind, query.q[:1000])
    events = _all_events(visit, query, first)
    if kind == "csv":
        return _download(_csv(events), "text/csv; charset=utf-8", "events.csv")
    lines = (orjson.dumps(as_json(event)) + b"\n" for event in events)
    return _download(lines, "application/x-ndjson", "events.ndjson")


def _download(content: Iterator[bytes], kind: str, name: str) -> Response:
    return StreamingResponse(
        content, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _all_events(visit: Visit, query: SearchState, page: EventPage) -> Iterator[StoredEvent]:
    given = 0
    while True:
        for event in page.events:
            yield event
            given += 1
            if given >= EXPORT_ROWS:
                return
        if not page.next_cursor:
            return
        following = SearchState(query.q, query.start, query.to, page.next_cursor)
        page = visit.tocsin.events.search(following.query(visit.now, 1000))


_CSV_COLUMNS = (
    "device.hostname",
    "user.name",
    "actor.user.name",
    "src_endpoint.ip",
    "dst_endpoint.ip",
    "process.cmd_line",
    "message",
)


def _csv(events: Iterator[StoredEvent]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["time", "event_id", "source", "lane", "severity_id", *_CSV_COLUMNS])
    for event in events:
        row: list[Any] = [event.time.isoformat(), event.event_id, event.source, event.lane]
        row += [event.ocsf.get(name, "") for name in ("severity_id", *_CSV_COLUMNS)]
        writer.writerow([_harmless(value) for value in row])
        if buffer.tell() > 64_000:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _harmless(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
