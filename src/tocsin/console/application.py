"""Puts the console together: pages, static files, safe headers, and pages for what goes wrong."""

import structlog
from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from tocsin.app.explaining.exception_preview import FindingsAtHand
from tocsin.app.explaining.finding_days import FindingCounter
from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.app.wiring import Tocsin
from tocsin.console.headers import FORM_LIMIT_BYTES, SafeHeaders
from tocsin.console.pages import PAGES
from tocsin.console.rendering import STATIC, make_environment
from tocsin.console.visit import (
    Forbidden,
    Missing,
    PasswordNeeded,
    Refused,
    SignInNeeded,
    inner_address,
    preferences_of,
    redirect,
    with_query,
)

_log = structlog.get_logger()


def create_console(tocsin: Tocsin) -> FastAPI:
    """The console over a wired house; raises MissingFiles when the build step was skipped."""
    console = FastAPI(
        title="Tocsin console",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=FORM_LIMIT_BYTES,
    )
    console.state.tocsin = tocsin
    console.state.templates = make_environment()
    console.state.finding_counter = FindingCounter(tocsin.events)
    console.state.findings_at_hand = FindingsAtHand()
    for router in PAGES:
        console.include_router(router)
    console.mount("/static", _Static(directory=STATIC), name="static")
    console.add_exception_handler(SignInNeeded, _ask_to_sign_in)
    console.add_exception_handler(PasswordNeeded, _ask_for_password)
    console.add_exception_handler(Forbidden, _forbidden)
    console.add_exception_handler(Missing, _missing)
    console.add_exception_handler(Refused, _refused)
    console.add_exception_handler(SearchesBusy, _busy)
    console.add_exception_handler(HTTPException, _http)
    console.add_exception_handler(Exception, _broken)
    console.add_middleware(GZipMiddleware, minimum_size=800)
    console.add_middleware(SafeHeaders)
    return console


class _Static(StaticFiles):
    """Files whose address carries their digest, so browsers may keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        lasting = b"v=" in scope.get("query_string", b"") and response.status_code == 200
        response.headers["cache-control"] = (
            "public, max-age=31536000, immutable" if lasting else "no-cache"
        )
        return response


def _ask_to_sign_in(request: Request, error: Exception) -> Response:
    back = error.back if isinstance(error, SignInNeeded) else "/"
    to = with_query("/sign-in", {"next": "" if back == "/" else back})
    return _leave(request, to)


def _ask_for_password(request: Request, error: Exception) -> Response:
    return _leave(request, "/password")


def _leave(request: Request, to: str) -> Response:
    """Send the whole page elsewhere, also when htmx asked for a part of it."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": to})
    return redirect(request, to)


def _forbidden(request: Request, error: Exception) -> Response:
    return _trouble(request, 403, "Not for your role", f"{error}.")


def _busy(request: Request, error: Exception) -> Response:
    return _trouble(request, 429, "Too many searches at once", f"{error}.")


def _missing(request: Request, error: Exception) -> Response:
    return _trouble(request, 404, "Nothing here", str(error))


async def _refused(request: Request, error: Exception) -> Response:
    """Back to the form with the reason; without JavaScript as well."""
    form = await request.form()
    back = form.get("back")
    to = inner_address(back if isinstance(back, str) else "/")
    return redirect(request, to, message=str(error), kind="bad")


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _trouble(
            request, 404, "Nothing here", f"There is no page at {request.url.path[:200]}."
        )
    detail = error.detail if isinstance(error, HTTPException) else ""
    if status == 413:
        detail = "What was sent is larger than this page takes"
    return _trouble(request, status, "That did not work", f"{detail}.")


def _broken(request: Request, error: Exception) -> Response:
    _log.error("console_page_failed", path=request.url.path, error=repr(error))
    return _trouble(
        request,
        500,
        "This page failed",
        f"{type(error).__name__} while making it. The server's log has the details; "
        "the other pages still work.",
    )


def _trouble(request: Request, status: int, title: str, text: str) -> Response:
    template = request.app.state.templates.get_template("trouble.html")
    html = template.render(
        status=status, title=title, text=text, preferences=preferences_of(request)
    )
    return HTMLResponse(html, status_code=status)
