"""API tokens: shown once, kept as a hash, bound to roles, with an end."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, insert, select, update

from tocsin.app.access.access_errors import AccessError
from tocsin.app.access.access_tables import API_TOKENS
from tocsin.app.access.permissions import permissions_of
from tocsin.app.access.users import checked_roles
from tocsin.model.identifier import new_id
from tocsin.model.principal import Permission, Principal, Role

PREFIX = "toc_"
LONGEST_LIFE_S = 3650 * 86400
_TOUCHED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it may be shown. ``permissions`` empty: all that its roles may do."""

    id: str
    name: str
    roles: tuple[Role, ...]
    permissions: tuple[Permission, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def add_token(
    tx: Connection,
    name: str,
    roles: Iterable[Role],
    permissions: Iterable[Permission],
    *,
    lifetime_s: float,
    by: str,
    now: datetime,
) -> tuple[ApiToken, str]:
    """A new token and its secret; raises ``AccessError`` for what it could not be allowed."""
    if not name.strip():
        raise AccessError("a token needs a name; say what it is for")
    if not 0 < lifetime_s <= LONGEST_LIFE_S:
        raise AccessError(
            f"a token can't live for {lifetime_s:g} s; give it more than 0 and at most ten years"
        )
    held = checked_roles(roles)
    narrowed = tuple(sorted({Permission(permission) for permission in permissions}))
    excess = set(narrowed) - permissions_of(held)
    if excess:
        raise AccessError(
            f"the roles {', '.join(held)} do not have {', '.join(sorted(excess))}; "
            "leave it out or add a role that has it"
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        id=new_id("token", now),
        name=name.strip()[:200],
        roles=held,
        permissions=narrowed,
        created_at=now,
        created_by=by,
        expires_at=now + timedelta(seconds=lifetime_s),
        last_used_at=None,
        revoked_at=None,
    )
    tx.execute(
        insert(API_TOKENS).values(
            id=token.id,
            name=token.name,
            digest=digest(secret),
            roles=[role.value for role in held],
            permissions=[permission.value for permission in narrowed],
            created_at=now,
            created_by=by,
            expires_at=token.expires_at,
            last_used_at=None,
            revoked_at=None,
        )
    )
    return token, secret


def token_of_secret(tx: Connection, secret: str, now: datetime) -> ApiToken | None:
    """The token when it is known, not expired and not revoked."""
    if not secret.startswith(PREFIX):
        return None
    query = select(API_TOKENS).where(API_TOKENS.c.digest == digest(secret))
    row = tx.execute(query).mappings().one_or_none()
    if row is None or row["revoked_at"] is not None or row["expires_at"] <= now:
        return None
    return token_of(row)


def should_touch(token: ApiToken, now: datetime) -> bool:
    """Whether its last use is to be noted (not at every request)."""
    return token.last_used_at is None or now - token.last_used_at >= _TOUCHED_EVERY


def touch_token(tx: Connection, token_id: str, now: datetime) -> None:
    tx.execute(update(API_TOKENS).where(API_TOKENS.c.id == token_id).values(last_used_at=now))


def end_token(tx: Connection, token_id: str, now: datetime) -> ApiToken:
    """Revoke; raises ``AccessError`` when unknown or already revoked."""
    columns = API_TOKENS.c
    query = select(API_TOKENS).where(columns.id == token_id)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise AccessError(
            f"no token has the id {token_id[:64]!r}; list them with: tocsin admin token list"
        )
    if row["revoked_at"] is not None:
        raise AccessError(f"token {token_id} was already revoked at {row['revoked_at']:%F %T} UTC")
    tx.execute(update(API_TOKENS).where(columns.id == token_id).values(revoked_at=now))
    return token_of(row)


def all_tokens(tx: Connection) -> list[ApiToken]:
    """Every token, newest first."""
    columns = API_TOKENS.c
    query = select(API_TOKENS).order_by(columns.created_at.desc(), columns.id.desc())
    return [token_of(row) for row in tx.execute(query).mappings()]


def token_of(row: RowMapping) -> ApiToken:
    return ApiToken(
        id=row["id"],
        name=row["name"],
        roles=tuple(Role(role) for role in row["roles"]),
        permissions=tuple(Permission(permission) for permission in row["permissions"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


def principal_of_token(token: ApiToken) -> Principal:
    """The token as one who acts: its roles' permissions, narrowed. Its name says it is a token."""
    allowed = permissions_of(token.roles)
    if token.permissions:
        allowed &= frozenset(token.permissions)
    return Principal(f"token:{token.name}", token.roles, allowed, "token")


def digest(secret: str) -> str:
    """What a token is known by; its secret itself is kept nowhere."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
