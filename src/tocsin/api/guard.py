"""Who is calling, and whether the call is theirs to make."""

import base64
import binascii
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from tocsin.api.problem import Problem
from tocsin.app.wiring import Tocsin
from tocsin.model.principal import Permission, Principal


class TokenMissing(Problem):
    """No token was sent, or in a way that is not known here."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "A token is needed", detail)


class TokenRefused(Problem):
    """The token is unknown, expired or revoked."""

    def __init__(self) -> None:
        super().__init__(401, "The token is not valid", "it is unknown, expired or revoked")


class NotPermitted(Problem):
    """The token is good, and its roles do not allow this."""

    def __init__(self, name: str, permission: Permission) -> None:
        super().__init__(
            403,
            "Not allowed",
            f"{name} lacks {permission}; ask an administrator for a role that has it",
            permission=str(permission),
        )


async def house_of(request: Request) -> Tocsin:
    """The wired house this API was made for; not worth a thread, which every plain function gets."""
    house: Tocsin = request.app.state.tocsin
    return house


House = Annotated[Tocsin, Depends(house_of)]


async def caller(request: Request, house: House) -> Principal:
    """The principal of the bearer token; 401 when there is none or it is not valid."""
    return await _principal(request, house, ("bearer",))


def needs(permission: Permission) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """A dependency that lets a caller in who has ``permission``."""

    async def allowed(principal: Annotated[Principal, Depends(caller)]) -> Principal:
        return _permitted(principal, permission)

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the route-table test
    return allowed


def sender(*schemes: str) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """A dependency for protocols of other products: lets in who may send events.

    ``schemes`` are the ways their senders have of naming a token in the Authorization header:
    ``bearer`` and ``splunk`` give it as it is, ``basic`` as the password, ``apikey`` as it is or
    as Elastic's base64 of ``id:key``.
    """

    async def allowed(request: Request, house: House) -> Principal:
        principal = await _principal(request, house, schemes)
        return _permitted(principal, Permission.EVENTS_INGEST)

    allowed.permission = Permission.EVENTS_INGEST  # type: ignore[attr-defined]  # as above
    return allowed


async def _principal(request: Request, house: Tocsin, schemes: tuple[str, ...]) -> Principal:
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    token = _token(scheme.lower(), told.strip()) if scheme.lower() in schemes else ""
    if not token:
        raise TokenMissing(
            f"send 'Authorization: {schemes[0].capitalize()} TOKEN'; "
            "make one with: tocsin admin token create NAME --role ROLE"
        )
    now = datetime.now(UTC)
    principal = house.access.known_principal(token, now)
    if principal is None:  # only who asks the store is worth a thread
        principal = await run_in_threadpool(house.access.principal_of_token, token, now)
    if principal is None:
        raise TokenRefused
    return principal


def _permitted(principal: Principal, permission: Permission) -> Principal:
    if not principal.may(permission):
        raise NotPermitted(principal.name, permission)
    return principal


def _token(scheme: str, told: str) -> str:
    if scheme not in ("basic", "apikey"):
        return told
    try:
        pair = base64.b64decode(told, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    _, colon, secret = pair.partition(":")
    return secret if colon else "" if scheme == "basic" else told
