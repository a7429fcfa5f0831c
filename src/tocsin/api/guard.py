"""Who is calling, and whether the call is theirs to make."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from tocsin.api.problem import Problem
from tocsin.app.wiring import Tocsin
from tocsin.model.principal import Permission, Principal


def house_of(request: Request) -> Tocsin:
    """The wired house this API was made for."""
    house: Tocsin = request.app.state.tocsin
    return house


House = Annotated[Tocsin, Depends(house_of)]


def caller(request: Request, house: House) -> Principal:
    """The principal of the bearer token; 401 when there is none or it is not valid."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    # Splunk's senders say "Splunk <token>", everyone else "Bearer <token>".
    if scheme.lower() not in ("bearer", "splunk") or not token:
        raise Problem(
            401,
            "A token is needed",
            "send 'Authorization: Bearer TOKEN'; make one with: tocsin admin token create NAME --role ROLE",
        )
    principal = house.access.principal_of_token(token, datetime.now(UTC))
    if principal is None:
        raise Problem(401, "The token is not valid", "it is unknown, expired or revoked")
    return principal


def needs(permission: Permission) -> Callable[..., Principal]:
    """A dependency that lets a caller in who has ``permission``."""

    def allowed(principal: Annotated[Principal, Depends(caller)]) -> Principal:
        if not principal.may(permission):
            raise Problem(
                403,
                "Not allowed",
                f"{principal.name} lacks {permission}; ask an administrator for a role that has it",
                permission=str(permission),
            )
        return principal

    allowed.permission = permission  # type: ignore[attr-defined]  # read by the route-table test
    return allowed
