"""Why a search found nothing: how many events each part of the question finds alone."""

from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import Response

from tocsin.console.panes import Pane, attempt
from tocsin.console.search_asked import Asked, Hunter, Turn
from tocsin.console.visit import Visit
from tocsin.store.fields import WHOLE_NATIVE
from tocsin.store.lucene import clauses, is_bare
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

router = APIRouter(prefix="/search")
_MOST = 8


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the question, the events it finds alone in the range, the question without it.

    Words without a field are looked for in the fields of the source too, which lists don't:
    ``in_native`` events have them there, which ``native`` asks for.
    """

    text: str
    found: int
    without: str
    in_native: int = 0
    native: str = ""


@router.get("/why")
def why(visit: Hunter, turn: Turn, query: Asked) -> Response:
    """The parts that AND joins, each looked for alone; the range, when there is but one."""

    def look() -> list[Part]:
        parts = clauses(query.q)[:_MOST]
        wanted = replace(query, cursor="").query(visit.now, 0)
        return [_part(visit, wanted, parts, at, turn) for at in range(len(parts))]

    parts: Pane[list[Part]] = attempt("What the parts find", look)
    beyond = attempt("All time", lambda: _count(visit, EventQuery(query.q, size=0), turn))
    return visit.page("search_why.html", query=query, parts=parts, beyond=beyond)


def _part(visit: Visit, wanted: EventQuery, parts: list[str], at: int, stop: StopSignal) -> Part:
    text = parts[at]
    found = _count(visit, replace(wanted, text=text), stop)
    part = Part(text, found, _joined(parts, at))
    if found or not is_bare(text):
        return part
    native = f"{WHOLE_NATIVE}:{text}"
    in_native = _count(visit, replace(wanted, text=native), stop)
    return replace(
        part, in_native=in_native, native=_joined([*parts[:at], native, *parts[at + 1 :]])
    )


def _count(visit: Visit, query: EventQuery, stop: StopSignal) -> int:
    return visit.tocsin.events.search(query, stop).total


def _joined(parts: list[str], left_out: int = -1) -> str:
    return " AND ".join(text for at, text in enumerate(parts) if at != left_out)
