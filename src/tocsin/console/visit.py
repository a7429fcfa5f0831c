"""A visit: one request of someone who has proven who they are, and the ways to answer it."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.app.wiring import Tocsin
from tocsin.console.navigation import menu, places
from tocsin.console.preferences import COOKIE, Preferences
from tocsin.model.principal import Permission, Principal

SESSION_COOKIE = "tocsin_session"
MESSAGE_COOKIE = "tocsin_message"
FIELD_LIMIT = 20_000


class ConsoleError(Exception):
    """Root of what the console itself refuses."""


class SignInNeeded(ConsoleError):
    """Nobody is signed in; ``back`` is where the person wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__("sign in first")
        self.back = back


class PasswordNeeded(ConsoleError):
    """The person is in on a one-time password and must choose their own first."""


class Forbidden(ConsoleError):
    """The person may not do this; the message says which permission it takes."""


class Missing(ConsoleError):
    """There is no such thing; the message names it."""


class Refused(ConsoleError):
    """A form that can't be carried out; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page handler works with."""

    request: Request
    principal: Principal
    csrf: str
    form: FormData
    now: datetime

    @property
    def tocsin(self) -> Tocsin:
        found: Tocsin = self.request.app.state.tocsin
        return found

    def may(self, permission: str) -> bool:
        return self.principal.may(Permission(permission))

    def text(self, name: str, *, limit: int = FIELD_LIMIT) -> str:
        """A form field without its outer spaces, "" when it was not sent."""
        value = self.form.get(name, "")
        return value.strip()[:limit] if isinstance(value, str) else ""

    def required(self, name: str, what: str) -> str:
        """A form field that may not be empty; ``what`` finishes "Please give …"."""
        value = self.text(name)
        if not value:
            raise Refused(f"Please give {what}.")
        return value

    def asks_for(self, part: str) -> bool:
        """True when htmx asks for one part of the page (its element id) only."""
        headers = self.request.headers
        return headers.get("hx-request") == "true" and headers.get("hx-target") == part

    def page(self, template: str, *, status: int = 200, **view: Any) -> Response:
        environment: Environment = self.request.app.state.templates
        message, kind = _message(self.request)
        html = environment.get_template(template).render(
            **view,
            visit=self,
            menu=menu(self.principal, self.request.url.path),
            places=places(self.principal),
            preferences=preferences_of(self.request),
            now=self.now,
            message=message,
            message_kind=kind,
            address=address_of(self.request),
        )
        response = HTMLResponse(html, status_code=status)
        response.headers["vary"] = "HX-Request, HX-Target, Cookie"
        if message:
            response.delete_cookie(MESSAGE_COOKIE, path="/")
        return response

    def note(self, tx: Connection, action: str, subject: str, detail: str = "") -> None:
        """Write into the audit log what this person has just done, in the same transaction."""
        self.tocsin.audit.append(
            tx,
            actor=self.principal.name,
            action=action,
            subject=subject,
            detail=detail,
            outcome="done",
            now=self.now,
        )

    def done(self, message: str, *, to: str = "", kind: str = "good") -> Response:
        """After a write: back to where the person was (or ``to``) with a message."""
        return redirect(self.request, self.back(to), message=message, kind=kind)

    def back(self, otherwise: str = "") -> str:
        """Where the form wants to return to; only addresses within the console count."""
        return inner_address(otherwise or self.text("back"))


class Needs:
    """A dependency: someone signed in who holds ``permission`` (None: anyone signed in).

    Unsafe methods also need the session's CSRF token and an origin that is ours. Who is in on a
    one-time password gets no further than pages with ``before_own_password``. A form is read
    only for people who may send it, with at most ``files`` files.
    """

    def __init__(
        self,
        permission: Permission | None = None,
        *,
        before_own_password: bool = False,
        files: int = 0,
    ) -> None:
        self.permission = permission
        self._before_own_password = before_own_password
        self._files = files

    async def __call__(self, request: Request) -> Visit:
        now = datetime.now(UTC)
        unsafe = request.method not in ("GET", "HEAD")
        tocsin: Tocsin = request.app.state.tocsin
        cookie = request.cookies.get(SESSION_COOKIE, "")
        found = await run_in_threadpool(tocsin.access.principal_of_session, cookie, now)
        if found is None:
            raise SignInNeeded("/" if unsafe else address_of(request))
        principal, csrf = found
        if unsafe:
            check_origin(request)
        if not self._before_own_password and await run_in_threadpool(
            tocsin.access.must_change_password, principal.name
        ):
            raise PasswordNeeded("choose your own password first")
        if self.permission is not None and not principal.may(self.permission):
            raise Forbidden(
                f"this takes the permission {self.permission.value}, which none of your roles "
                f"({', '.join(role.value for role in principal.roles)}) has; ask an administrator"
            )
        form = await request.form(max_files=self._files) if unsafe else FormData()
        if unsafe:
            try:
                _check_token(request.headers.get("x-csrf-token") or form.get("csrf"), csrf)
            except Forbidden:
                await form.close()
                raise
        return Visit(request, principal, csrf, form, now)


def _check_token(sent: object, csrf: str) -> None:
    if not isinstance(sent, str) or not secrets.compare_digest(sent.encode(), csrf.encode()):
        raise Forbidden("this form does not belong to your session; load the page again and repeat")


def check_origin(request: Request) -> None:
    """Refuse a form another site's page has sent (Origin, Fetch Metadata)."""
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden(f"a form from another site ({origin or 'unknown'}) is not taken here")


def redirect(request: Request, to: str, *, message: str = "", kind: str = "good") -> Response:
    response = RedirectResponse(to, status_code=303)
    if message:
        message = f"{message[:1].upper()}{message[1:]}"
        packed = base64.urlsafe_b64encode(json.dumps([message[:600], kind]).encode()).decode()
        set_cookie(request, response, MESSAGE_COOKIE, packed, max_age_s=60)
    return response


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, max_age_s: int | None = None
) -> None:
    """A cookie for this site's own pages only, out of scripts' reach."""
    tocsin: Tocsin = request.app.state.tocsin
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=tocsin.settings.http.secure_cookies or request.url.scheme == "https",
    )


def inner_address(wished: str) -> str:
    """``wished`` when it is an address within the console, else ``/``."""
    safe = wished.startswith("/") and not wished.startswith(("//", "/\\")) and wished.isprintable()
    return wished if safe else "/"


def preferences_of(request: Request) -> Preferences:
    return Preferences.from_cookie(request.cookies.get(COOKIE))


def address_of(request: Request) -> str:
    """Path and query of the page the person sees (htmx parts ask on its behalf)."""
    path = quote(request.url.path, safe="/:@")
    query = request.url.query
    return f"{path}?{query}" if query else path


def _message(request: Request) -> tuple[str, str]:
    packed = request.cookies.get(MESSAGE_COOKIE, "")
    try:
        text, kind = json.loads(base64.urlsafe_b64decode(packed.encode()))
    except ValueError:
        return "", ""
    return (str(text), "bad" if kind == "bad" else "good")


def with_query(path: str, query: Mapping[str, object]) -> str:
    """``path?…`` of the parts of ``query`` that are set."""
    kept = {name: str(value) for name, value in query.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(kept)}" if kept else path
