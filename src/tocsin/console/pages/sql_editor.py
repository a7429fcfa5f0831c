"""What the SQL editor asks while one types: what may come next, and what is wrong."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from tocsin.console.pages.search_fields import frequent_values
from tocsin.console.pages.search_sql import Asked, lanes_within
from tocsin.console.search_asked import Hunter, Turn
from tocsin.console.search_state import QueryFault, SearchState, fault_in
from tocsin.console.sql_completion import offers, word_at
from tocsin.store.ports import QueryError
from tocsin.store.sql_guard import checked

router = APIRouter(prefix="/search/sql")


@router.get("/complete")
def complete(visit: Hunter, turn: Turn, query: Asked, at: int = 0) -> Response:
    """What may stand instead of the word before character ``at``: names, or values in quotes."""
    at = max(0, min(at, len(query.sql)))
    word = word_at(query.sql, at)
    if word is None or (word.is_value and not word.field):
        return JSONResponse({"start": at, "items": []})
    if word.is_value:
        within = SearchState(start=query.start, to=query.to)
        values = frequent_values(visit, turn, within, word.field, word.text.strip("%"))
        ending = "" if query.sql[at : at + 1] == "'" else "'"
        items = [
            {"insert": one["insert"].replace("'", "''") + ending, "note": one["note"]}
            for one in values
        ]
    else:
        try:
            seen = visit.tocsin.events.field_names(set(lanes_within(visit, query)))
        except ValueError:
            seen = []
        items = [{"insert": one.insert, "note": one.note} for one in offers(query.sql, word, seen)]
    return JSONResponse({"start": word.start, "items": items})


@router.get("/check")
def check(visit: Hunter, query: Asked) -> Response:
    """What is wrong with the statement before it is run, nothing where it may run."""
    fault = _fault(query.sql) if query.sql.strip() else None
    is_unfinished = fault is not None and len(fault.before + fault.wrong) >= len(query.sql.rstrip())
    return visit.page("sql_fault.html", fault=fault, is_unfinished=is_unfinished)


def _fault(statement: str) -> QueryFault | None:
    try:
        checked(statement)
    except QueryError as error:
        return fault_in(statement, str(error), error.at)
    return None
