"""SQL over the events: an editor, what there is to ask for, the rows or the plan."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from tocsin.app.searches.asked_sql import AskedPlan, AskedSql, SqlAnswer, answer_sql, plan_sql
from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import note_export
from tocsin.app.searches.sql_export import AskedSqlExport, begin_sql_export
from tocsin.console.column_meanings import columns
from tocsin.console.panes import attempt
from tocsin.console.search_asked import ExportTurn, Hunter, Turn
from tocsin.console.search_state import DEFAULT_FROM, PRESETS, QueryFault, fault_in
from tocsin.console.sql_completion import quoted_key
from tocsin.console.sql_state import VIEWS, SqlState
from tocsin.console.visit import Missing, Visit
from tocsin.store.fields import NATIVE
from tocsin.store.ports import QueryError, QueryStopped, StoreError
from tocsin.store.sql_plan import SqlPlan
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search/sql")
SHOWN_ROWS = 1000
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
    sql = sql.replace("\r\n", "\n")  # a form sends its lines so; places are counted without
    return SqlState(sql, q, start or DEFAULT_FROM, to, view if view in VIEWS else "rows", lane)


Asked = Annotated[SqlState, Depends(_asked)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Rows or a plan, or what is wrong with the statement; ``is_late``: a job may take longer."""

    answer: SqlAnswer | None = None
    plan: SqlPlan | None = None
    fault: QueryFault | None = None
    is_late: bool = False


@router.get("")
def sql(visit: Hunter, query: Asked) -> Response:
    """The editor; what it asks is fetched as a part, which leaving the page cancels."""
    visit.tocsin.searching.sql.warm()
    return visit.page(
        "search_sql.html",
        query=query,
        columns=columns(),
        lanes=attempt("The lanes", lambda: lanes_within(visit, query)),
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
    )


@router.get("/export")
def export(
    visit: Hunter, query: Asked, turn: ExportTurn, kind: ExportFormat = ExportFormat.CSV
) -> Response:
    """Every row of the statement as a file."""
    try:
        asked = AskedSqlExport(query.sql, kind, query.within(visit.now))
        begun = begin_sql_export(visit.tocsin.searching.exports, asked, turn)
    except (StoreError, ValueError) as error:
        raise Missing(f"The statement can't be run: {error}") from error
    note_export(
        *(visit.tocsin.state, visit.tocsin.audit),
        how=f"sql {kind.value}",
        text=query.sql,
        by=visit.principal.name,
        now=visit.now,
    )
    headers = {"content-disposition": f'attachment; filename="rows.{kind.value}"'}
    return StreamingResponse(begun.pieces, media_type=kind.media_type, headers=headers)


def _shown(visit: Visit, query: SqlState, stop: StopSignal, size: int) -> _Shown:
    processes = visit.tocsin.searching.sql
    within = query.within(visit.now)
    if query.view == "plan":
        return _Shown(plan=plan_sql(processes, AskedPlan(query.sql, within), stop))
    return _Shown(answer=answer_sql(processes, AskedSql(query.sql, size, within), stop))


def _told(query: SqlState, make: Callable[[], _Shown]) -> _Shown:
    try:
        return make()
    except QueryStopped as error:
        return _Shown(fault=fault_in(query.sql, str(error), None), is_late=True)
    except QueryError as error:
        return _Shown(fault=fault_in(query.sql, str(error), error.at))
    except (StoreError, ValueError) as error:
        return _Shown(fault=fault_in(query.sql, str(error), None))


def lanes_within(visit: Visit, query: SqlState) -> list[str]:
    """The lanes that have events in the range; ValueError for one that can't be."""
    within = query.within(visit.now)
    held = visit.tocsin.events.segments(within.start, within.end)
    return sorted({lane for segment in held for lane in segment.lanes})


def _native(visit: Visit, lane: str) -> list[str]:
    """The source's fields of a lane, as SQL names them."""
    names = visit.tocsin.events.field_names({lane})
    found = [name.removeprefix(NATIVE) for name in names if name.startswith(NATIVE)]
    return [f"native.{'.'.join(map(quoted_key, name.split('.')))}" for name in found][:500]
