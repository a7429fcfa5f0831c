"""Errors as problem+json (RFC 9457): what, where and what to do."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tocsin.app.access.access_errors import AccessError
from tocsin.app.access.audit import AuditError
from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.cases.errors import CaseError, UnknownCase
from tocsin.ingest.request_bounds import RequestTooLarge
from tocsin.respond.errors import BadRequest, NotAllowed, NotFound, RespondError
from tocsin.store.ports import QueryError, SpoolFull, StoreError
from tocsin.triage.errors import TriageError, UnknownAlert

_ROOM_ERRORS: dict[type[Exception], tuple[int, str]] = {
    AccessError: (409, "That can't be done now"),
    AuditError: (409, "The audit chain can't go on"),
    CaseError: (409, "That can't be done now"),
    UnknownCase: (404, "No such case"),
    TriageError: (409, "That can't be done now"),
    UnknownAlert: (404, "No such alert"),
    RespondError: (409, "That can't be done now"),
    NotFound: (404, "Not found"),
    NotAllowed: (403, "Not allowed"),
    RequestTooLarge: (413, "The request holds too many records"),
    BadRequest: (422, "The request can't be carried out"),
}


class Problem(Exception):
    """An answer that is not the wished one; ``detail`` tells the caller what to do."""

    def __init__(self, status: int, title: str, detail: str, **more: object) -> None:
        """``more`` are extension members of the problem object."""
        super().__init__(detail)
        self.status = status
        self.title = title
        self.more = more


def problem_response(
    status: int,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    more: dict[str, object] | None = None,
) -> JSONResponse:
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    return JSONResponse(
        body, status_code=status, media_type="application/problem+json", headers=headers
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Turn every error the rooms raise into problem+json."""

    @app.exception_handler(Problem)
    def of_problem(request: Request, error: Problem) -> JSONResponse:
        return problem_response(error.status, error.title, str(error), more=error.more)

    @app.exception_handler(QueryError)
    def of_query(request: Request, error: QueryError) -> JSONResponse:
        return problem_response(400, "The query can't be run", str(error), more={"at": error.at})

    @app.exception_handler(SpoolFull)
    def of_full_spool(request: Request, error: SpoolFull) -> JSONResponse:
        return problem_response(
            429, "Nothing was taken in: the spool is full", str(error), headers={"Retry-After": "5"}
        )

    @app.exception_handler(SearchesBusy)
    def of_busy(request: Request, error: SearchesBusy) -> JSONResponse:
        return problem_response(
            429, "Too many searches at once", str(error), headers={"Retry-After": "5"}
        )

    @app.exception_handler(StoreError)
    def of_store(request: Request, error: StoreError) -> JSONResponse:
        return problem_response(
            503, "The store can't be used now", str(error), headers={"Retry-After": "5"}
        )

    for kind, (status, title) in _ROOM_ERRORS.items():

        def of_room(
            request: Request, error: Exception, status: int = status, title: str = title
        ) -> JSONResponse:
            return problem_response(status, title, str(error))

        app.exception_handler(kind)(of_room)

    @app.exception_handler(RequestValidationError)
    def of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [
            {"where": ".".join(str(part) for part in fault["loc"]), "what": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults)
        return problem_response(
            422, "The request is not of the expected form", detail, more={"faults": faults}
        )

    @app.exception_handler(HTTPException)
    def of_http(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(
            error.status_code,
            "Not found" if error.status_code == 404 else "The request was refused",
            str(error.detail),
            headers=dict(error.headers) if error.headers else None,
        )
