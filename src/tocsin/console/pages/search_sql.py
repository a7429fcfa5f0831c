"""SQL over the events: an editor, what there is to ask for, the rows or the plan."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tocsin.app.asked_sql import AskedPlan, AskedSql, SqlAnswer, answer_sql, plan_sql
from tocsin.app.event_export import harmless
from tocsin.console.column_meanings import columns
from tocsin.console.panes import attempt
from tocsin.console.search_asked import Hunter, Turn
from tocsin.console.search_state import DEFAULT_FROM, PRESETS, QueryFault, fault_in
from tocsin.console.sql_state import VIEWS, SqlState
from tocsin.console.visit import Missing, Visit
from tocsin.store.fields import NATIVE
from tocsin.store.ports import QueryError, StoreError
from tocsin.store.sql_plan import SqlPlan
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search/sql")
SHOWN_ROWS = 1000
EXPORT_ROWS = 10_000
EXAMPLES = (
    (
        "Who failed to sign in most",
        "SELECT user_name, src_endpoint_ip, count(*) AS failures\nFROM events\n"
        "WHERE class_uid = 3002 AND status_id = 2\nGROUP BY ALL ORDER BY failures DESC LIMIT 50",
    ),
    (
        "Rare parents of a program",
        "SELECT process_parent_process_name AS parent, count(*) AS times,\n"
        "       count(DISTINCT device_hostname) AS hosts\nFROM events\n"
        "WHERE process_name ILIKE 'powershell.exe'\nGROUP BY ALL ORDER BY hosts, times LIMIT 50",
    ),
    (
        "Bytes out by hour and host",
        "SELECT time_bucket(INTERVAL 1 HOUR, time) AS hour, device_hostname,\n"
        "       sum(traffic_bytes_out) AS bytes_out\nFROM events\nWHERE traffic_bytes_out > 0\n"
        "GROUP BY ALL ORDER BY bytes_out DESC LIMIT 100",
    ),
)


def _asked(
    sql: Annotated[str, Query(max_length=12_000)] = "",
    q: Annotated[str, Query(max_length=4000)] = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = DEFAULT_FROM,
    to: Annotated[str, Query(max_length=40)] = "",
    view: Annotated[str, Query(max_length=10)] = "rows",
    lane: Annotated[str, Query(max_length=200)] = "",
) -> SqlState:
    return SqlState(sql, q, start or DEFAULT_FROM, to, view if view in VIEWS else "rows", lane)


Asked = Annotated[SqlState, Depends(_asked)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Rows or a plan, or what is wrong with the statement."""

    answer: SqlAnswer | None = None
    plan: SqlPlan | None = None
    fault: QueryFault | None = None
    took_ms: float = 0


@router.get("")
def sql(visit: Hunter, query: Asked) -> Response:
    """The editor; what it asks is fetched as a part, which leaving the page cancels."""
    visit.tocsin.searching.sql.warm()
    return visit.page(
        "search_sql.html",
        query=query,
        columns=columns(),
        lanes=attempt("The lanes", lambda: _lanes(visit, query)),
        native=_native(visit, query.lane) if query.lane else [],
        presets=PRESETS,
        examples=EXAMPLES,
    )


@router.get("/answer")
def answer(visit: Hunter, query: Asked, turn: Turn) -> Response:
    """The rows of the statement, or its plan."""
    begun = perf_counter()
    shown = _told(query, lambda: _shown(visit, query, turn, SHOWN_ROWS))
    took_ms = (perf_counter() - begun) * 1000
    return visit.page(
        "search_sql_answer.html",
        query=query,
        shown=shown,
        took_ms=took_ms,
        shown_rows=SHOWN_ROWS,
        export_rows=EXPORT_ROWS,
    )


@router.get("/export")
def export(visit: Hunter, query: Asked, turn: Turn, kind: str = "csv") -> Response:
    """The first 10,000 rows as CSV or NDJSON."""
    shown = _told(query, lambda: _shown(visit, query, turn, EXPORT_ROWS))
    if shown.answer is None:
        raise Missing(f"The statement can't be run: {shown.fault.message if shown.fault else ''}")
    with visit.tocsin.state.begin() as tx:
        visit.note(tx, "events.export", f"sql {kind}", query.sql[:1000])
    if kind == "ndjson":
        lines = (dict(zip(shown.answer.columns, row, strict=True)) for row in shown.answer.rows)
        body = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        return _download(body, "application/x-ndjson", "rows.ndjson")
    return _download(_csv(shown.answer), "text/csv; charset=utf-8", "rows.csv")


def _shown(visit: Visit, query: SqlState, stop: StopSignal, size: int) -> _Shown:
    processes = visit.tocsin.searching.sql
    within = query.within(visit.now)
    if query.view == "plan":
        return _Shown(plan=plan_sql(processes, AskedPlan(query.sql, within), stop))
    return _Shown(answer=answer_sql(processes, AskedSql(query.sql, size, within), stop))


def _told(query: SqlState, make: Callable[[], _Shown]) -> _Shown:
    try:
        return make()
    except QueryError as error:
        return _Shown(fault=fault_in(query.sql, str(error), error.at))
    except (StoreError, ValueError) as error:
        return _Shown(fault=fault_in(query.sql, str(error), None))


def _lanes(visit: Visit, query: SqlState) -> list[str]:
    within = query.within(visit.now)
    held = visit.tocsin.events.segments(within.start, within.end)
    return sorted({lane for segment in held for lane in segment.lanes})


def _native(visit: Visit, lane: str) -> list[str]:
    """The source's fields of a lane, as SQL names them."""
    names = visit.tocsin.events.field_names({lane})
    found = [name.removeprefix(NATIVE) for name in names if name.startswith(NATIVE)]
    return [f"native.{'.'.join(map(_quoted, name.split('.')))}" for name in found][:500]


def _quoted(key: str) -> str:
    return key if key.isidentifier() else '"' + key.replace('"', '""') + '"'


def _csv(answer: SqlAnswer) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(map(harmless, answer.columns))
    for row in answer.rows:
        writer.writerow(
            harmless(orjson.dumps(value).decode() if isinstance(value, dict | list) else value)
            for value in row
        )
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _download(body: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=kind, headers=headers)
