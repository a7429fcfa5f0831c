"""The sign-in page, the password page, signing out, and how the console is shown."""

import dataclasses
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from tocsin.app.access.access import AccessError, SignInThrottled
from tocsin.app.wiring import Tocsin
from tocsin.console.navigation import first_page
from tocsin.console.preferences import COOKIE, DENSITIES, THEMES, ZONES
from tocsin.console.visit import (
    SESSION_COOKIE,
    Needs,
    Refused,
    Visit,
    check_origin,
    inner_address,
    preferences_of,
    redirect,
    set_cookie,
)

router = APIRouter()
SignedIn = Annotated[Visit, Depends(Needs())]
Entering = Annotated[Visit, Depends(Needs(before_own_password=True))]


@router.get("/sign-in")
def show(request: Request, next: str = "") -> Response:
    return _sign_in_page(request, next)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check name and password; the answer to a wrong one is always the same."""
    check_origin(request)
    form = await request.form(max_files=0)
    name, password = (str(form.get(part, ""))[:1000] for part in ("name", "password"))
    wanted = inner_address(str(form.get("next", "")))
    tocsin: Tocsin = request.app.state.tocsin
    address = request.client.host if request.client else ""
    try:
        session = await run_in_threadpool(
            tocsin.access.sign_in, name, password, address, datetime.now(UTC)
        )
    except AccessError as error:
        status = 429 if isinstance(error, SignInThrottled) else 403
        problem = f"{str(error)[:1].upper()}{str(error)[1:]}."
        return _sign_in_page(request, wanted, name=name, problem=problem, status=status)
    response = redirect(request, "/password" if session.must_change_password else wanted)
    set_cookie(request, response, SESSION_COOKIE, session.cookie)
    return response


@router.get("/")
def home(visit: SignedIn) -> Response:
    """The first page of the person's role."""
    return redirect(visit.request, first_page(visit.principal))


@router.post("/sign-out")
def sign_out(visit: Entering) -> Response:
    visit.tocsin.access.sign_out(visit.request.cookies.get(SESSION_COOKIE, ""), now=visit.now)
    response = redirect(visit.request, "/sign-in")
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/password")
def show_password(visit: Entering) -> Response:
    forced = visit.tocsin.access.must_change_password(visit.principal.name)
    return visit.page("password.html", forced=forced)


@router.post("/password")
def change_password(visit: Entering) -> Response:
    """Change one's own password; the old one is asked for again."""
    new = _secret(visit, "new")
    if new != _secret(visit, "again"):
        raise Refused("The two new passwords differ; type the same one twice.")
    try:
        visit.tocsin.access.change_password(
            visit.principal.name,
            old=_secret(visit, "old"),
            new=new,
            now=visit.now,
            keep_cookie=visit.request.cookies.get(SESSION_COOKIE, ""),
        )
    except AccessError as error:
        raise Refused(str(error)) from error
    return visit.done("Your password is changed.", to=first_page(visit.principal))


@router.post("/preferences")
def prefer(visit: SignedIn) -> Response:
    """Theme, density and time zone, kept in a cookie for a year."""
    wished = preferences_of(visit.request)
    for name, allowed in (("theme", THEMES), ("density", DENSITIES), ("zone", ZONES)):
        if visit.text(name) in allowed:
            wished = dataclasses.replace(wished, **{name: visit.text(name)})
    response = redirect(visit.request, visit.back())
    set_cookie(visit.request, response, COOKIE, wished.to_cookie(), max_age_s=365 * 86400)
    return response


def _secret(visit: Visit, name: str) -> str:
    """A password field exactly as typed, outer spaces and all."""
    value = visit.form.get(name, "")
    return value[:1100] if isinstance(value, str) else ""


def _sign_in_page(
    request: Request, wanted: str, *, name: str = "", problem: str = "", status: int = 200
) -> Response:
    template = request.app.state.templates.get_template("sign_in.html")
    html = template.render(
        next=wanted, name=name, problem=problem, preferences=preferences_of(request)
    )
    return HTMLResponse(html, status_code=status)
